/* The traces that match, page by page.

     address -> [list] -> rows

   Invariant: what was on screen stays until its successor has arrived. */

import { computed, signal } from "@preact/signals";

import { endsNow, param, query } from "../address/address.ts";
import { askTraces, type TraceSummary } from "../api/traces.ts";
import { report, settle } from "../records/problem.ts";
import { scope } from "./search.ts";

const PAGE = 100;
const REFRESH_MS = 10_000;
/* Who waits for the first trace looks at nothing else. */
const EMPTY_REFRESH_MS = 1500;

export type Sort = "errors" | "newest" | "slowest";

export const sort = computed<Sort>(() => {
  const asked = param("sort");
  return asked === "errors" || asked === "slowest" ? asked : "newest";
});

export const traces = signal<TraceSummary[]>([]);
export const next = signal<string | null>(null);
export const isLoading = signal(false);
/** False until the first answer. */
export const isRead = signal(false);
/** The trace that the keyboard stands on. */
export const cursor = signal("");

let abort = new AbortController();
let pages = 0;
let asked_ms = 0;

/** Read the first page of the address as it is. */
export async function loadTraces(): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  isLoading.value = true;
  asked_ms = Date.now();
  const started_ms = asked_ms;
  try {
    const page = await askTraces(scope.peek(), { sort: sort.peek(), limit: PAGE }, aborted);
    traces.value = page.traces;
    next.value = page.next;
    pages = 1;
    isRead.value = true;
    settle(started_ms);
  } catch (error) {
    if (!aborted.aborted) report(error, query.peek());
  } finally {
    if (!aborted.aborted) isLoading.value = false;
  }
}

/** Read one page more. */
export async function loadMore(): Promise<void> {
  if (isLoading.peek() || next.peek() === null) return;
  const { signal: aborted } = abort;
  isLoading.value = true;
  try {
    const page = await askTraces(scope.peek(), { sort: sort.peek(), limit: PAGE, cursor: next.peek() ?? "" }, aborted);
    const known = new Set(traces.peek().map((one) => one.trace_id));
    traces.value = [...traces.peek(), ...page.traces.filter((one) => !known.has(one.trace_id))];
    next.value = page.next;
    pages += 1;
  } catch (error) {
    if (!aborted.aborted) report(error, query.peek());
  } finally {
    if (!aborted.aborted) isLoading.value = false;
  }
}

/** Whether the list may be read anew by itself: it ends now and nobody has gone on in it. */
export function isDue(): boolean {
  return endsNow.peek() && !isLoading.peek() && !document.hidden && pages <= 1 && Date.now() - asked_ms >= (traces.peek().length === 0 ? EMPTY_REFRESH_MS : REFRESH_MS);
}

export function move(step: number): void {
  const at = traces.peek().findIndex((one) => one.trace_id === cursor.peek());
  moveTo(at < 0 ? (step > 0 ? 0 : traces.peek().length - 1) : at + step);
}

export function moveTo(index: number): void {
  const one = traces.peek()[Math.max(0, Math.min(traces.peek().length - 1, index))];
  if (!one) return;
  cursor.value = one.trace_id;
  requestAnimationFrame(() => document.getElementById(`trace-${one.trace_id}`)?.scrollIntoView({ block: "nearest" }));
}

export function moveToFailed(step: 1 | -1): boolean {
  const all = traces.peek();
  for (let at = all.findIndex((one) => one.trace_id === cursor.peek()) + step; at >= 0 && at < all.length; at += step) {
    if ((all[at]?.errors ?? 0) > 0) { moveTo(at); return true; }
  }
  return false;
}
