/* Beside the editor: what was saved, what was run here, which fields there are. */

import { type Signal, signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import type { Saved } from "../api/insights.ts";
import { fieldText } from "../editor/names.ts";
import { Icon } from "../parts/Icon.tsx";
import { countText, oneLine } from "../parts/text.ts";
import { clockText, partsOf } from "../time/clock.ts";
import { setParams } from "../address/address.ts";
import { forgetRuns, type Past, past } from "./history.ts";
import { fields } from "./offer.ts";
import { editor } from "./QueryEditor.tsx";
import { replace, savedId } from "./question.ts";
import { run } from "./run.ts";
import { openSaved, remove, rename, saved } from "./saved.ts";

const FIELDS_SHORT = 14;
const HISTORY_SHORT = 8;
const open = { saved: signal(true), history: signal(true), fields: signal(true) };

export function Lists() {
  return (
    <aside class="facets lists" aria-label="Saved, history and fields">
      <div class="facet-list" tabIndex={0}>
        <Part title="Saved" count={saved.value.length} isOpen={open.saved}>
          {saved.value.map((entry) => <SavedLine key={entry.id} entry={entry} />)}
          {saved.value.length === 0 && <p class="more">Nothing yet; <kbd class="key">s</kbd> saves a query</p>}
        </Part>
        <HistoryPart />
        <FieldsPart />
      </div>
    </aside>
  );
}

interface PartProps {
  title: string;
  count: number;
  isOpen: Signal<boolean>;
  children: ComponentChildren;
}

function Part({ title, count, isOpen, children }: PartProps) {
  return (
    <section class="facet">
      <h3>
        <button class="facet-head" aria-expanded={isOpen.value} onClick={() => { isOpen.value = !isOpen.value; }}>
          <Icon name={isOpen.value ? "down" : "right"} />{title}<span class="n">{countText(count)}</span>
        </button>
      </h3>
      {isOpen.value && children}
    </section>
  );
}

function SavedLine({ entry }: { entry: Saved }) {
  const state = useSignal<"" | "rename" | "delete">("");
  if (state.value === "rename") {
    const done = (event: Event, name: string) => {
      event.preventDefault();
      state.value = "";
      if (name.trim() !== "" && name.trim() !== entry.name) void rename(entry, name.trim());
    };
    return (
      <form class="it" onSubmit={(event) => done(event, new FormData(event.currentTarget).get("name") as string)}>
        <input class="control small" name="name" aria-label="New name" defaultValue={entry.name} ref={(input) => input?.focus()}
          onKeyDown={(event) => { if (event.key === "Escape") { state.value = ""; event.stopPropagation(); } }} />
        <button class="control small" type="submit">Rename</button>
      </form>
    );
  }
  if (state.value === "delete") {
    return (
      <div class="it">
        <span class="cut">Delete “{oneLine(entry.name, 60)}”?</span><span class="grow" />
        <button class="control small" ref={(button) => button?.focus()} onClick={() => void remove(entry)}>Delete</button>
        <button class="control small" onClick={() => { state.value = ""; }}>Keep</button>
      </div>
    );
  }
  const isHere = entry.id === savedId.value;
  return (
    <div class={`it${isHere ? " on" : ""}`}>
      <button class="cut name" aria-current={isHere} title={oneLine(entry.query, 400)} onClick={() => openSaved(entry)}>{oneLine(entry.name, 200)}</button>
      <span class="acts">
        <button aria-label={`Rename ${oneLine(entry.name, 200)}`} title="Rename" onClick={() => { state.value = "rename"; }}><Icon name="pen" /></button>
        <button aria-label={`Delete ${oneLine(entry.name, 200)}`} title="Delete" onClick={() => { state.value = "delete"; }}><Icon name="close" /></button>
      </span>
    </div>
  );
}

function HistoryPart() {
  const isWhole = useSignal(false);
  const shown = isWhole.value ? past.value : past.value.slice(0, HISTORY_SHORT);
  const left = past.value.length - shown.length;
  return (
    <Part title="History" count={past.value.length} isOpen={open.history}>
      {shown.map((one) => <PastLine key={one.at_ms} one={one} />)}
      {past.value.length === 0 && <p class="more">What you run here is kept in this browser</p>}
      {left > 0 && <button class="more linklike" onClick={() => { isWhole.value = true; }}>{left} more</button>}
      {past.value.length > 0 && <button class="more linklike" onClick={forgetRuns}>Forget them</button>}
    </Part>
  );
}

function whenText(at_ms: number): string {
  const day = partsOf(at_ms).date;
  return day === partsOf(Date.now()).date ? clockText(at_ms) : day.slice(5);
}

function PastLine({ one }: { one: Past }) {
  const again = () => {
    replace(one.query, { groups: one.groups });
    setParams({ from: one.from === "-15m" ? "" : one.from, to: one.to === "now" ? "" : one.to });
    void run();
  };
  return (
    <button class="it past" title={oneLine(one.query, 600)} onClick={again}>
      <span class="mono cut">{oneLine(one.query, 120)}</span>
      <span class="muted">{whenText(one.at_ms)} <b>{countText(one.rows)}</b> {one.rows === 1 ? "row" : "rows"}</span>
    </button>
  );
}

function FieldsPart() {
  const isWhole = useSignal(false);
  const shown = isWhole.value ? fields.value : fields.value.slice(0, FIELDS_SHORT);
  const left = fields.value.length - shown.length;
  return (
    <Part title="Fields here" count={fields.value.length} isOpen={open.fields}>
      {shown.map(({ name, share }) => (
        <button class="it" key={name} title={`${oneLine(name, 300)}: write it into the query`} onClick={() => editor.peek()?.insert(fieldText(name))}>
          <span class="mono cut">{oneLine(name, 120)}</span><span class="muted">{shareText(share)}</span>
        </button>
      ))}
      {left > 0 && <button class="more linklike" onClick={() => { isWhole.value = true; }}>{countText(left)} more</button>}
    </Part>
  );
}

function shareText(share: number): string {
  return share >= 0.995 ? "all" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
