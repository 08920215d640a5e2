/* A question in the Insights language, and its answer as table, chart and file.

     editor -> check, run -> table, chart, export */

import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { from, selected, setParams, to } from "../address/address.ts";
import { Drawers, type Drawer } from "../app/Drawers.tsx";
import { StatusLine } from "../app/StatusLine.tsx";
import { copyLink, ThemeButton } from "../app/TopBar.tsx";
import { TimePicker } from "../app/TimePicker.tsx";
import { Band } from "../band/Band.tsx";
import { lit, recount, scope } from "../band/overview.ts";
import { close as closeRecord, Panel } from "../panel/Panel.tsx";
import { Icon } from "../parts/Icon.tsx";
import { oneLine } from "../parts/text.ts";
import { faults, watchDraft } from "../query/check.ts";
import { offerCommands } from "../query/keys.ts";
import { GroupPicker } from "../query/GroupPicker.tsx";
import { Lists } from "../query/Lists.tsx";
import { loadFields, loadGroups, loadLanguage } from "../query/offer.ts";
import { editor, QueryEditor } from "../query/QueryEditor.tsx";
import { asked, draft, groups, replace, scopeOf, settleAddress } from "../query/question.ts";
import { cancel, forget, isSlow, outcome, run, stop } from "../query/run.ts";
import { current, isChanged, loadSaved } from "../query/saved.ts";
import { isNaming, SaveForm } from "../query/SaveForm.tsx";
import { openedRow } from "../result/ResultTable.tsx";
import { Figures, Results } from "../result/Results.tsx";
import { RowPanel } from "../result/RowPanel.tsx";
import { adopt } from "../style/adopt.ts";
import styles from "../style/query.css?inline";

adopt(styles);

const KEYS: [string, string][] = [["Ctrl Enter", "run"], ["s", "save"], ["Ctrl Space", "complete"], ["j k", "move"]];

/* An address that comes with a query is run at once; so is one that Back brings. What was written
   before another page was looked at is still here. */
function watchAddress(): () => void {
  if (asked.peek() === "" && draft.peek() !== "") settleAddress(false);
  else draft.value = asked.peek();
  const isWhole = asked.peek().trim() !== "" && !asked.peek().trim().endsWith("|");
  if (isWhole && outcome.peek()?.question.query !== asked.peek()) void run(false);
  return effect(() => {
    if (asked.value === draft.peek()) return;
    draft.value = asked.value;
    if (asked.value.trim() === "") forget();
    else void run(false);
  });
}

function useRange(): void {
  const key = JSON.stringify([from.value, to.value, groups.value]);
  const isFirst = useRef(true);
  useEffect(() => {
    scope.value = scopeOf(groups.peek());
    void recount(false);
    const abort = new AbortController();
    loadFields(abort.signal).catch(() => undefined);
    if (outcome.peek() && !isFirst.current) void run(false);
    isFirst.current = false;
    return () => abort.abort();
  }, [key]);
}

export function Query({ onHelp }: { onHelp: () => void }) {
  const drawer = useSignal<Drawer>("");
  useRange();
  useEffect(() => {
    const abort = new AbortController();
    for (const loading of [loadLanguage(), loadGroups(abort.signal), loadSaved()]) loading.catch(() => undefined);
    const stops = [watchDraft(), watchAddress(), offerCommands(), () => abort.abort(), cancel, () => { scope.value = ""; }];
    return () => {
      for (const one of stops) one();
    };
  }, []);
  return (
    <div class="app query-page" data-drawer={drawer.value}>
      <h1 class="hidden-h1">Query</h1>
      <header class="topbar">
        <GroupPicker />
        <TimePicker />
        <button class="control quiet icon-only" aria-label="Copy link" title="Copy link (y)" onClick={copyLink}><Icon name="link" /></button>
        <ThemeButton />
      </header>
      <Band caption={<><Figures />{lit.value && <ShowNow />}</>} />
      <main class="main">
        <Lists />
        <div class="question">
          <Toolbar />
          <QueryEditor />
          <Results />
        </div>
        <Side />
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      <Drawers drawer={drawer} side="Lists" />
    </div>
  );
}

function ShowNow() {
  return <button class="linklike" onClick={() => setParams({ from: "", to: "" }, true)}>Show now</button>;
}

function Side() {
  const shown = outcome.value;
  if (selected.value !== "") return <Panel onClose={() => { closeRecord(); document.querySelector<HTMLElement>(".result-rows")?.focus(); }} />;
  if (shown && openedRow.value !== null) return <RowPanel shown={shown} index={openedRow.value} />;
  return null;
}

function begin(): void {
  replace("");
  forget();
  editor.peek()?.focus();
}

function Toolbar() {
  const entry = current.value;
  return (
    <div class="query-tools">
      {isNaming.value ? <SaveForm /> : (
        <>
          {entry ? <b class="strong cut">{oneLine(entry.name, 120)}</b> : <span class="muted wide">New query</span>}
          {entry && isChanged.value && <span class="muted">changed</span>}
          <span class="grow" />
          {(entry || draft.value !== "") && <button class="control small quiet" onClick={begin}>New</button>}
          <button class="control small" disabled={draft.value.trim() === ""} onClick={() => { isNaming.value = true; }}>
            <Icon name="save" />Save <kbd class="key">s</kbd>
          </button>
        </>
      )}
      <RunButton />
    </div>
  );
}

function RunButton() {
  if (isSlow.value) {
    return <button class="control small run-button" onClick={stop}><Icon name="stop" />Stop <kbd class="key">Esc</kbd></button>;
  }
  return (
    <button class="control small primary run-button" disabled={faults.value.length > 0 || draft.value.trim() === ""} onClick={() => void run()}>
      Run <span class="keys-text">Ctrl Enter</span>
    </button>
  );
}
