/* Which requests are traced (X-Ray's sampling rules), and which traces belong together (groups).

     page -> X-Ray API of this server -> programs that ask for their rules */

import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { followLink } from "../address/address.ts";
import { askGroups, askRules, deleteGroup, deleteRule, type Group, type SamplingRule } from "../api/xray.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { ThemeButton } from "../app/TopBar.tsx";
import { Dialog } from "../dialogs/Dialog.tsx";
import { say } from "../parts/clipboard.ts";
import { oneLine, visible } from "../parts/text.ts";
import { GroupForm } from "../sampling/GroupForm.tsx";
import { RuleForm } from "../sampling/RuleForm.tsx";
import { adopt } from "../style/adopt.ts";
import styles from "../style/sampling.css?inline";
import { shareText } from "../traces/figures.ts";

adopt(styles);

const KEYS: [string, string][] = [["g t", "traces"], ["Ctrl K", "commands"]];
const DEFAULT = "Default";

type Open =
  | { kind: "rule"; rule: SamplingRule | null }
  | { kind: "group"; group: Group | null }
  | { kind: "delete"; what: string; run: () => Promise<unknown> }
  | null;

export function Sampling({ onHelp }: { onHelp: () => void }) {
  const rules = useSignal<SamplingRule[] | null>(null);
  const groups = useSignal<Group[] | null>(null);
  const failure = useSignal("");
  const open = useSignal<Open>(null);
  const read = () => {
    Promise.all([askRules(), askGroups()]).then(([found, named]) => {
      rules.value = found.map((one) => one.SamplingRule);
      groups.value = named;
      failure.value = "";
    }).catch((error: Error) => { failure.value = error.message; });
  };
  useEffect(read, []);
  const close = () => { open.value = null; };
  const done = (text: string) => {
    close();
    say(text);
    read();
  };
  const show = (next: Open) => { open.value = next; };
  return (
    <div class="app plain">
      <header class="topbar"><h1 class="page-title">Sampling</h1><span class="grow" /><ThemeButton /></header>
      <main class="main page sampling" tabIndex={0}>
        {failure.value && <div class="note lv-error" role="alert"><b class="strong">{visible(failure.value)}</b></div>}
        <Rules rules={rules.value} onOpen={show} />
        <Groups groups={groups.value} onOpen={show} />
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      {open.value?.kind === "rule" && <RuleForm rule={open.value.rule} onDone={done} onClose={close} />}
      {open.value?.kind === "group" && <GroupForm group={open.value.group} onDone={done} onClose={close} />}
      {open.value?.kind === "delete" && <Deletion what={open.value.what} run={open.value.run} onDone={done} onClose={close} />}
    </div>
  );
}

function Rules({ rules, onOpen }: { rules: SamplingRule[] | null; onOpen: (next: Open) => void }) {
  return (
    <section>
      <h2>Sampling rules <span class="muted">the first that matches decides; programs ask for them every few minutes</span></h2>
      <p class="section-tools"><button class="control small" onClick={() => onOpen({ kind: "rule", rule: null })}>New rule</button></p>
      {rules && (
        <div class="wide-table" tabIndex={0} role="region" aria-label="Sampling rules">
          <table class="table rules">
            <thead><tr><th>Rule</th><th class="num">Priority</th><th class="num">A second</th><th class="num">Then</th><th>Service</th><th>Host</th><th>Method</th><th>Path</th><th><span class="hidden-h1">Change</span></th></tr></thead>
            <tbody>
              {rules.map((rule) => (
                <tr key={rule.RuleName}>
                  <td class="mono strong">{oneLine(rule.RuleName, 64)}</td>
                  <td class="num">{rule.Priority}</td>
                  <td class="num">{rule.ReservoirSize}</td>
                  <td class="num">{shareText(rule.FixedRate)} <span class="u">%</span></td>
                  {[rule.ServiceName, rule.Host, rule.HTTPMethod, rule.URLPath].map((text, i) => (
                    <td class={`mono cut${text === "*" ? " muted" : ""}`} key={i} title={oneLine(text, 300)}>{oneLine(text, 300)}</td>
                  ))}
                  <Changes name={rule.RuleName} onEdit={() => onOpen({ kind: "rule", rule })}
                    onDelete={rule.RuleName === DEFAULT ? null : () => onOpen({ kind: "delete", what: `the rule ${rule.RuleName}`, run: () => deleteRule(rule.RuleName) })} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Groups({ groups, onOpen }: { groups: Group[] | null; onOpen: (next: Open) => void }) {
  return (
    <section>
      <h2>Groups <span class="muted">traces that a filter expression finds; choose one on Traces and Map</span></h2>
      <p class="section-tools"><button class="control small" onClick={() => onOpen({ kind: "group", group: null })}>New group</button></p>
      {groups?.length === 0 && <p class="muted">No group yet. One with <span class="mono">service("api") AND responsetime &gt; 1</span> holds the slow traces of the service api.</p>}
      {groups && groups.length > 0 && (
        <div class="wide-table" tabIndex={0} role="region" aria-label="Groups">
          <table class="table groups">
            <thead><tr><th>Group</th><th>Filter expression</th><th><span class="hidden-h1">Change</span></th></tr></thead>
            <tbody>
              {groups.map((group) => (
                <tr key={group.GroupName}>
                  <td class="mono strong"><GroupLink name={group.GroupName} /></td>
                  <td class="mono cut" title={oneLine(group.FilterExpression ?? "", 500)}>{oneLine(group.FilterExpression ?? "", 500) || <span class="muted">every trace</span>}</td>
                  <Changes name={group.GroupName} onEdit={() => onOpen({ kind: "group", group })}
                    onDelete={group.GroupName === DEFAULT ? null : () => onOpen({ kind: "delete", what: `the group ${group.GroupName}`, run: () => deleteGroup(group.GroupName) })} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function GroupLink({ name }: { name: string }): JSX.Element {
  const to = `/traces?${new URLSearchParams({ group: name }).toString()}`;
  return <a href={`.${to}`} data-page={to} onClick={followLink}>{oneLine(name, 64)}</a>;
}

function Changes({ name, onEdit, onDelete }: { name: string; onEdit: () => void; onDelete: (() => void) | null }) {
  return (
    <td class="num">
      <button class="linklike" aria-label={`Edit ${oneLine(name, 64)}`} onClick={onEdit}>Edit</button>
      {onDelete && <button class="linklike" aria-label={`Delete ${oneLine(name, 64)}`} onClick={onDelete}>Delete</button>}
    </td>
  );
}

interface DeletionProps {
  what: string;
  run: () => Promise<unknown>;
  onDone: (text: string) => void;
  onClose: () => void;
}

function Deletion({ what, run, onDone, onClose }: DeletionProps) {
  const failure = useSignal("");
  const act = () => {
    run().then(() => onDone(`${oneLine(what, 80)} deleted`)).catch((error: Error) => { failure.value = error.message; });
  };
  return (
    <Dialog title="Delete" onClose={onClose}>
      <h2>Delete {oneLine(what, 80)}?</h2>
      {failure.value && <p class="note lv-error" role="alert">{visible(failure.value)}</p>}
      <p class="form-foot"><button class="control" onClick={onClose}>Keep it</button><button class="control primary" onClick={act}>Delete</button></p>
    </Dialog>
  );
}
