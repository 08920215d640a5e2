/* One record, whole: fields, JSON, what was written around it, its exception.

     address (sel) -> [panel] -> search, columns, clipboard */

import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { selected, setParams } from "../address/address.ts";
import { askRecord } from "../api/client.ts";
import type { FullRecord, RecordInContext, Row } from "../api/types.ts";
import { copy } from "../parts/clipboard.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { Icon } from "../parts/Icon.tsx";
import { levelLook } from "../parts/level.ts";
import { oneLine, seriesOf, shortId, visible } from "../parts/text.ts";
import { ring } from "../records/feed.ts";
import { isGap } from "../records/ring.ts";
import { showTrace } from "../search/apply.ts";
import { fullTime, millisOf, nanoTail, partsOf } from "../time/clock.ts";
import { openTraceOf } from "../traces/places.ts";
import { ContextLines } from "./ContextLines.tsx";
import { chainOf, ExceptionView } from "./ExceptionView.tsx";
import { JsonTree } from "./JsonTree.tsx";
import { Tabs } from "./Tabs.tsx";

type Tab = "Fields" | "JSON" | "Context" | "Exception";

const NEAR = 3;
const FAR = 25;
const JSON_TEXT_MAX = 200_000;

export const isDocked = signal(false);
const tab = signal<Tab>("Fields");

/** The record of the open panel, as far as it is known. */
export const opened = signal<FullRecord | null>(null);

export function close(): void {
  setParams({ sel: "" });
  document.querySelector<HTMLElement>(".rows")?.focus();
}

function held(id: string): Row | null {
  const item = ring.items[ring.indexOf(id)];
  return item && !isGap(item) ? item : null;
}

function useRecord(id: string, context: number): { around: Signal<RecordInContext | null>; failure: Signal<string> } {
  const around = useSignal<RecordInContext | null>(null);
  const failure = useSignal("");
  useEffect(() => {
    const abort = new AbortController();
    opened.value = held(id);
    failure.value = "";
    askRecord(id, context, abort.signal).then((answer) => {
      around.value = answer;
      opened.value = answer.record;
    }).catch((error: unknown) => {
      if (!abort.signal.aborted) failure.value = String((error as Error).message);
    });
    return () => abort.abort();
  }, [id, context]);
  return { around, failure };
}

export function Panel({ onClose = close }: { onClose?: () => void }) {
  const id = selected.value;
  const { around, failure } = useRecord(id, tab.value === "Context" ? FAR : NEAR);
  const element = useRef<HTMLElement>(null);
  const record = opened.value?.id === id ? opened.value : held(id);
  const known = around.value?.record.id === id ? around.value : null;
  useEffect(() => () => { opened.value = null; }, []);
  return (
    <aside class={`panel${isDocked.value ? " docked" : ""}`} aria-label="Record" ref={element} tabIndex={-1} id="panel">
      {failure.value && <div class="note lv-error" role="alert">{visible(failure.value)}</div>}
      {record && <Head record={record} onClose={onClose} />}
      {record?.trace_id && <TraceStrip record={record} />}
      {record && <Tabs label="Record" names={tabsOf(record)} shown={shownTab(record)} counts={{ Exception: chainOf(record.attrs.exception).length }} onShow={(name) => { tab.value = name; }} />}
      {record && <Body record={record} around={known} />}
      {!record && !failure.value && <p class="pad muted">Reading the record</p>}
    </aside>
  );
}

export function recordJson(record: FullRecord): string {
  return JSON.stringify(record, null, 2);
}

function Head({ record, onClose }: { record: FullRecord; onClose: () => void }) {
  const level = levelLook(record.level);
  const time = partsOf(millisOf(record.ts));
  const { module, funcName, lineno } = record.attrs;
  const origin = [funcName ?? module, lineno].filter((one) => one !== undefined).join(":");
  return (
    <header>
      <div class="line">
        <span class={`state lv-${level.look}`}><Glyph name={level.look} />{level.word}</span>
        <span class="mono" title={fullTime(record.ts)}>{time.minute}:{time.second}<span class="muted">.{time.milli} {nanoTail(record.ts)}</span></span>
        <span class="grow" />
        <button class="control quiet small icon-only" aria-label="Copy JSON" onClick={() => copy(recordJson(record), "JSON")}><Icon name="copy" /></button>
        <button class="control quiet small icon-only dock" aria-label="Dock below" aria-pressed={isDocked.value}
          onClick={() => { isDocked.value = !isDocked.value; }}><Icon name="dock" /></button>
        <button class="control quiet small icon-only" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
      </div>
      <h2 class="title">{oneLine(record.message, 600)}</h2>
      <div class="line muted">
        {record.service && <span class={`svc series-${seriesOf(record.service)}`}>{oneLine(record.service, 80)}</span>}
        {record.logger && <span class="cut">{oneLine(record.logger, 120)}</span>}
        {origin && <span class="cut">{oneLine(origin, 120)}</span>}
      </div>
    </header>
  );
}

function TraceStrip({ record }: { record: Row }) {
  return (
    <div class="strip">
      <span class="muted">trace</span>
      <button class="linklike mono" title={`${oneLine(record.trace_id, 128)}: all its records`} onClick={() => showTrace(record.trace_id)}>
        {shortId(record.trace_id)}
      </button>
      {record.span_id && <span class="muted mono">{shortId(record.span_id)}</span>}
      <span class="grow" />
      <button class="control small" onClick={() => openTraceOf(record)}>Trace <kbd class="key">t</kbd></button>
    </div>
  );
}

function tabsOf(record: Row): Tab[] {
  const tabs: Tab[] = ["Fields", "JSON", "Context"];
  return record.attrs.exception ? [...tabs, "Exception"] : tabs;
}

function shownTab(record: Row): Tab {
  return tabsOf(record).includes(tab.value) ? tab.value : "Fields";
}

function Body({ record, around }: { record: FullRecord; around: RecordInContext | null }) {
  const shown = shownTab(record);
  return (
    <>
      <div class="tab-body" role="tabpanel" id="tab-body" aria-labelledby={`tab-${shown}`} tabIndex={0}>
        {shown === "Fields" && <JsonTree root={fieldsOf(record)} />}
        {shown === "JSON" && <pre class="json">{visible(recordJson(record).slice(0, JSON_TEXT_MAX))}</pre>}
        {shown === "Context" && around && <ContextLines around={around} />}
        {shown === "Exception" && <ExceptionView value={record.attrs.exception} />}
      </div>
      {shown === "Fields" && around && (
        <div class="near">
          <h3 class="line">Context<span class="muted">same process, {around.before.length} before and {around.after.length} after</span>
            <span class="grow" /><button class="linklike" onClick={() => { tab.value = "Context"; }}>±{FAR}</button></h3>
          <ContextLines around={around} />
        </div>
      )}
    </>
  );
}

function fieldsOf(record: FullRecord): Record<string, unknown> {
  const { attrs, logger, span_id, resource } = record;
  // What the program said first; where it said it, which the head shows too, behind.
  const { module, funcName, lineno, ...own } = attrs;
  const fields: Record<string, unknown> = { ...own, logger };
  for (const [name, value] of Object.entries({ module, funcName, lineno })) {
    if (value !== undefined) fields[name] = value;
  }
  if (span_id) fields.span = span_id;
  if (resource && Object.keys(resource).length > 0) fields.resource = resource;
  return fields;
}
