/* What the page of one trace shows: the trace, what is folded, where one stands, how far one looks.

     address, server -> [state] -> rows, lanes, minimap, panel

   Invariant: a refresh keeps what is folded, chosen and zoomed. */

import { computed, signal } from "@preact/signals";

import { param, path, setParams } from "../address/address.ts";
import { ApiError } from "../api/client.ts";
import { serverNow } from "../api/health.ts";
import { askTrace, askUsual, type Trace, type Usual } from "../api/traces.ts";
import type { Row } from "../api/types.ts";
import { levelLook } from "../parts/level.ts";
import { seriesOf } from "../parts/text.ts";
import { criticalPath } from "./critical.ts";
import { endOf, type Line, linesOf, type Node, treeOf } from "./tree.ts";

const SPANS = 2000;
export const SPANS_ALL = 10_000;
const WARN = 30;
/* A span that was left open so long ago is drawn to the last thing known, not to now. */
const FORSAKEN_NS = 3_600e9;

export type LogChoice = "none" | "warnings" | "all";

export const trace = signal<Trace | null>(null);
export const failure = signal("");
export const isReading = signal(false);
export const usual = signal<Map<string, Usual>>(new Map());
export const usualSince_ms = signal(0);
export const folded = signal<ReadonlySet<string>>(new Set());
export const withCritical = signal(true);
export const logChoice = signal<LogChoice>("warnings");
/** The part of time that is looked at, in nanoseconds; null for all of it. */
export const zoomed = signal<[number, number] | null>(null);
/** The line that the keyboard stands on, by its key. */
export const cursor = signal("");
/** Set to the index of a line to have it scrolled into view. */
export const wanted = signal(-1);
/** Now, in nanoseconds from the trace's start; moves while a span is open. */
export const now = signal(0);

/* The colour's slot of each service: that of its name, unless another service here has taken it. */
const slots = computed(() => {
  const found = new Map<string, number>();
  for (const { name } of trace.value?.services ?? []) {
    let slot = seriesOf(name);
    const taken = new Set(found.values());
    if (taken.size < 8) while (taken.has(slot)) slot = (slot % 8) + 1;
    found.set(name, slot);
  }
  return found;
});

export function slotOf(service: string): number {
  return slots.value.get(service) ?? seriesOf(service);
}

export const traceId = computed(() => decodeURIComponent(path.value.slice("/traces/".length)));
/** The span whose panel is open. */
export const chosen = computed(() => param("span"));
/** The record that led here. */
export const marked = computed(() => param("log"));

export const tree = computed(() => (trace.value ? treeOf(trace.value) : null));

/** Until when open spans are drawn. */
export const openEnd = computed(() => {
  const whole = tree.value;
  if (!whole) return 0;
  return now.value - whole.length > FORSAKEN_NS ? whole.length : Math.max(now.value, whole.length);
});

export const isForsaken = computed(() => {
  const whole = tree.value;
  return whole !== null && whole.hasOpen && now.value - whole.length > FORSAKEN_NS;
});

/** All of the time, from the start to a little behind the end; in steps while the end moves. */
export const whole = computed<[number, number]>(() => {
  const shown = tree.value;
  if (!shown) return [0, 1];
  if (!shown.hasOpen || isForsaken.value) return [0, shown.length * 1.03];
  const power = 10 ** Math.floor(Math.log10(Math.max(1, openEnd.value)));
  const lead = openEnd.value / power;
  const step = power * (lead < 2 ? 0.2 : lead < 5 ? 0.5 : 1);
  return [0, (Math.floor(openEnd.value / step + 0.3) + 1) * step];
});

export const domain = computed<[number, number]>(() => zoomed.value ?? whole.value);

function isShown(row: Row): boolean {
  // Where there is no span, records are all there is to see.
  if (row.id === marked.value || logChoice.value === "all" || trace.value?.spans.length === 0) return true;
  return logChoice.value === "warnings" && levelLook(row.level).number >= WARN;
}

export const lines = computed<Line[]>(() => (tree.value ? linesOf(tree.value, folded.value, isShown) : []));

export const critical = computed(() => {
  const main = tree.value?.main;
  return main ? criticalPath(main, openEnd.value) : [];
});

/** Spans that the critical path touches. */
export const onPath = computed(() => new Set(critical.value.map((piece) => piece.node)));

export function keyOf(line: Line): string {
  return line.kind === "span" ? `span ${line.node.span.span_id}` : `log ${line.mark.row.id}`;
}

export function usualOf(node: Node): Usual | undefined {
  const { service, name, kind } = node.span;
  return usual.value.get(JSON.stringify([service, name, kind]));
}

/** How many times the usual p95 a span took; 0 where nothing is known or it is open. */
export function excessOf(node: Node): number {
  const known = usualOf(node);
  return known && !node.span.pending && known.p95_ns > 0 ? (node.end - node.start) / known.p95_ns : 0;
}

export function lengthOf(node: Node): number {
  return endOf(node, openEnd.value) - node.start;
}

let abort = new AbortController();
let limit = SPANS;

export function setNow(): void {
  const shown = tree.peek();
  if (shown) now.value = serverNow() * 1e6 - Number(shown.start);
}

async function readUsual(id: string, aborted: AbortSignal): Promise<void> {
  const answer = await askUsual(id, aborted).catch(() => null);
  if (!answer) return;
  usual.value = new Map(answer.usual.map((one) => [JSON.stringify([one.service, one.name, one.kind]), one]));
  usualSince_ms.value = answer.from_ms;
}

/** Read the trace of the address; a second time only what has changed is drawn anew. */
export async function readTrace(isNew: boolean): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  const id = traceId.peek();
  if (isNew) {
    limit = SPANS;
    trace.value = null;
    usual.value = new Map();
    folded.value = new Set();
    zoomed.value = null;
    cursor.value = "";
  }
  isReading.value = true;
  try {
    const answer = await askTrace(id, limit, aborted);
    trace.value = answer;
    setNow();
    failure.value = "";
    if (isNew && answer.spans.length > 0) void readUsual(id, aborted);
  } catch (error) {
    if (aborted.aborted) return;
    const isUnknown = error instanceof ApiError && error.status === 404;
    failure.value = isUnknown && trace.peek() ? "" : String((error as Error).message);
  } finally {
    if (!aborted.aborted) isReading.value = false;
  }
}

/** Forget the trace, so that the next one is never shown under the name of this one. */
export function leaveTrace(): void {
  abort.abort();
  trace.value = null;
  failure.value = "";
}

/** Read every span there is, at most ten thousand. */
export function readAll(): void {
  limit = SPANS_ALL;
  void readTrace(false);
}

export function choose(spanId: string): void {
  setParams({ span: spanId }, chosen.peek() === "" && spanId !== "");
}

export function turn(node: Node, isOpen?: boolean): void {
  const id = node.span.span_id;
  const next = new Set(folded.peek());
  const shouldOpen = isOpen ?? next.has(id);
  if (shouldOpen) next.delete(id);
  else if (node.children.length > 0) next.add(id);
  folded.value = next;
}

/** Open every fold above a span, so that its line is there. */
export function reveal(node: Node): void {
  const next = new Set(folded.peek());
  for (let above = node.parent; above; above = above.parent) next.delete(above.span.span_id);
  folded.value = next;
}

/** Look at the time of one span with a little room; once more to look at all. */
export function zoomTo(node: Node): void {
  const room = Math.max(1, lengthOf(node) * 0.03);
  const next: [number, number] = [Math.max(0, node.start - room), node.start + lengthOf(node) + room];
  const isSame = zoomed.peek()?.every((edge, i) => Math.abs(edge - (next[i] ?? 0)) < room);
  zoomed.value = isSame ? null : next;
}
