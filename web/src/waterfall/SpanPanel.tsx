/* One span, whole: what it says, its records, its process, what it is linked to, what is usual.

     address (span) -> [panel] -> search, logs, clipboard */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { followLink } from "../address/address.ts";
import { copy } from "../parts/clipboard.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { Icon } from "../parts/Icon.tsx";
import { levelLook } from "../parts/level.ts";
import { oneLine, shortId, visible } from "../parts/text.ts";
import { ExceptionView } from "../panel/ExceptionView.tsx";
import { JsonTree } from "../panel/JsonTree.tsx";
import { Tabs } from "../panel/Tabs.tsx";
import type { SpanEvent } from "../api/traces.ts";
import { Duration } from "../traces/Figure.tsx";
import { durationText, shareText } from "../traces/figures.ts";
import { traceUrl } from "../traces/places.ts";
import { Compare } from "./Compare.tsx";
import { choose, critical, lengthOf, marked, openEnd, slotOf, trace } from "./state.ts";
import { type LogMark, type Node, selfTime } from "./tree.ts";

type Tab = "Span" | "Logs" | "Process" | "Links" | "JSON";

const JSON_TEXT_MAX = 200_000;
const LOGS_MAX = 200;
const NEAR_LOGS = 8;
const ATTRIBUTES_MAX = 200;

const tab = signal<Tab>("Span");

export function closeSpan(): void {
  choose("");
  document.querySelector<HTMLElement>(".fall-side [role$=grid]")?.focus();
}

export function spanJson(node: Node): string {
  const { span } = node;
  return JSON.stringify({ trace_id: trace.peek()?.trace_id, ...span, resource: trace.peek()?.resources[span.resource] }, null, 2);
}

interface Props {
  node: Node;
  onOpenLogs: () => void;
  onOpenLog: (id: string) => void;
}

export function SpanPanel(props: Props) {
  const { node } = props;
  const shown = tabsOf(node).includes(tab.value) ? tab.value : "Span";
  return (
    <aside class="panel span-panel" aria-label="Span" tabIndex={-1} id="panel">
      <Head node={node} />
      <Tabs label="Span" names={tabsOf(node)} shown={shown} counts={{ Logs: node.logs.length, Links: node.span.links.length }} onShow={(name) => { tab.value = name; }} />
      <div class="tab-body" role="tabpanel" id="tab-body" aria-labelledby={`tab-${shown}`} tabIndex={0}>
        {shown === "Span" && <Told {...props} />}
        {shown === "Logs" && <Logs {...props} logs={node.logs} />}
        {shown === "Process" && <Process node={node} />}
        {shown === "Links" && <Links node={node} />}
        {shown === "JSON" && <pre class="json">{visible(spanJson(node).slice(0, JSON_TEXT_MAX))}</pre>}
      </div>
    </aside>
  );
}

/** How a span ended: its look, and a word. */
export function stateOf(node: Node): [string, string] {
  if (node.span.pending) return ["ok", "RUNNING"];
  if (node.span.status === "error") return ["error", "FAILED"];
  return ["none", node.span.status === "ok" ? "OK" : "ENDED"];
}

function isWithin(node: Node, whole: Node): boolean {
  let one: Node | null = node;
  while (one && one.depth > whole.depth) one = one.parent;
  return one === whole;
}

function Head({ node }: { node: Node }) {
  const { span } = node;
  const [look, word] = stateOf(node);
  const own = critical.value.reduce((sum, piece) => sum + (isWithin(piece.node, node) ? piece.to - piece.from : 0), 0);
  const all = critical.value.reduce((sum, piece) => sum + piece.to - piece.from, 0);
  return (
    <header>
      <div class="line">
        <span class={`state lv-${look}`}><Glyph name={look} />{word}</span>
        <span class={`svc muted series-${slotOf(span.service)}`}><span class="cut">{oneLine(span.service, 80)}</span></span>
        {span.kind !== "internal" && <span class="muted">{span.kind}</span>}
        <span class="grow" />
        <button class="control quiet small icon-only" aria-label="Copy JSON" onClick={() => copy(spanJson(node), "JSON")}><Icon name="copy" /></button>
        <button class="control quiet small icon-only" aria-label="Close" onClick={closeSpan}><Icon name="close" /></button>
      </div>
      <h2 class="title mono">{oneLine(span.name, 600) || "no name"}</h2>
      <div class="line muted span-figures">
        <span><b class="ink"><Duration ns={lengthOf(node)} /></b></span>
        <span>self <b class="ink"><Duration ns={selfTime(node, openEnd.value)} /></b></span>
        <span>starts at <b class="ink">+<Duration ns={node.start} /></b></span>
        {own > 0 && <span>critical path <b class="ink">{shareText(own / all)} %</b></span>}
      </div>
    </header>
  );
}

function tabsOf(node: Node): Tab[] {
  const tabs: Tab[] = ["Span", "Logs", "Process"];
  return [...tabs, ...(node.span.links.length > 0 ? ["Links" as const] : []), "JSON"];
}

function isException(event: SpanEvent): boolean {
  return event.name === "exception" || "exception.type" in event.attrs;
}

function Told(props: Props) {
  const { node } = props;
  const { span } = node;
  const failures = span.events.filter(isException);
  const events = span.events.filter((event) => !isException(event));
  const count = Object.keys(span.attrs).length;
  return (
    <>
      {span.status_message && failures.length === 0 && <div class="note lv-error"><span class="mono">{visible(span.status_message.slice(0, 4000))}</span></div>}
      {failures.map((event, i) => <Failure key={i} event={event} />)}
      <Notices node={node} />
      <section class="section"><h3>Attributes<span class="more">{count > ATTRIBUTES_MAX ? `${ATTRIBUTES_MAX} of ${count}, all in JSON` : count}</span></h3>
        <JsonTree root={span.attrs} />
      </section>
      {events.length > 0 && <Events events={events} />}
      <section class="section">
        <h3>Logs of this span<span class="more"><button class="linklike" onClick={props.onOpenLogs}>open in Logs</button> <kbd class="key">t</kbd></span></h3>
        <Logs {...props} logs={nearest(node.logs)} />
      </section>
      <Compare node={node} />
    </>
  );
}

/* The marked record and the loudest, in the order of time. */
function nearest(logs: LogMark[]): LogMark[] {
  if (logs.length <= NEAR_LOGS) return logs;
  const weight = (mark: LogMark) => (mark.row.id === marked.value ? 100 : levelLook(mark.row.level).number);
  const kept = new Set([...logs].sort((a, b) => weight(b) - weight(a)).slice(0, NEAR_LOGS));
  return logs.filter((mark) => kept.has(mark));
}

function Notices({ node }: { node: Node }) {
  const { span } = node;
  return (
    <>
      {node.early > 0 && <div class="note lv-warn"><span>Starts <b class="strong">{durationText(node.early)}</b> before its parent: the clocks of the two processes differ.</span></div>}
      {span.orphan && <div class="note lv-none"><span>Its parent <span class="mono">{shortId(span.parent_span_id)}</span> is not stored.</span></div>}
      {span.dropped > 0 && <div class="note lv-warn"><span>The program left out {span.dropped} attributes, events or links of it.</span></div>}
    </>
  );
}

function Failure({ event }: { event: SpanEvent }) {
  const { "exception.type": type, "exception.message": message, "exception.stacktrace": stack } = event.attrs;
  return (
    <div class="section">
      <div class="note lv-error"><span><b class="strong">{visible(String(type ?? event.name).slice(0, 300))}</b><br />
        <span class="mono">{visible(String(message ?? "").slice(0, 4000))}</span></span></div>
      {typeof stack === "string" && <ExceptionView value={stack} />}
    </div>
  );
}

function Events({ events }: { events: SpanEvent[] }) {
  const start = BigInt(trace.value?.ts || 0);
  return (
    <section class="section"><h3>Events<span class="more">{events.length}</span></h3>
      {events.slice(0, LOGS_MAX).map((event, i) => (
        <div class="span-event" key={i}>
          <div class="context"><span class="row"><span class="t">{/^\d+$/.test(event.ts) ? `+${durationText(Number(BigInt(event.ts) - start))}` : ""}</span><span class="m">{oneLine(event.name, 300)}</span></span></div>
          {Object.keys(event.attrs).length > 0 && <JsonTree root={event.attrs} />}
        </div>
      ))}
    </section>
  );
}

function Logs({ logs, onOpenLog }: Props & { logs: LogMark[] }) {
  if (logs.length === 0) return <p class="pad muted">No record names this span.</p>;
  return (
    <div class="context">
      {logs.slice(0, LOGS_MAX).map((mark) => {
        const { look, number } = levelLook(mark.row.level);
        return (
          <button key={mark.row.id} class={`row lv-${look}${number >= 40 ? " wash" : ""}${mark.row.id === marked.value ? " sel" : ""}`}
            onClick={() => onOpenLog(mark.row.id)} title="Open the record in Logs">
            <span class="t">+{durationText(mark.at)}</span><Glyph name={look} /><span class="m">{oneLine(mark.row.message, 500)}</span>
          </button>
        );
      })}
      {logs.length > LOGS_MAX && <p class="pad muted">The first {LOGS_MAX} of {logs.length}; all of them are in Logs.</p>}
    </div>
  );
}

function Process({ node }: { node: Node }) {
  const { span } = node;
  const resource = trace.value?.resources[span.resource] ?? {};
  return <JsonTree root={{ ...resource, ...(span.scope ? { scope: span.scope } : {}), span_id: span.span_id, parent_span_id: span.parent_span_id }} />;
}

function Links({ node }: { node: Node }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => { element.current?.scrollTo(0, 0); }, [node]);
  return (
    <div ref={element} onClick={followLink}>
      {node.span.links.slice(0, LOGS_MAX).map((link, i) => {
        const to = traceUrl(link.trace_id, { span: link.span_id, log: "" });
        return (
          <section class="section" key={i}>
            <h3>Trace <a class="mono" href={`.${to}`} data-page={to} title={oneLine(link.trace_id, 128)}>{shortId(link.trace_id)}</a> <span class="muted mono">{shortId(link.span_id)}</span></h3>
            {Object.keys(link.attrs).length > 0 && <JsonTree root={link.attrs} />}
          </section>
        );
      })}
    </div>
  );
}
