/* Counts of the range: bars for the band, figures for the window, facets.

     address, arrivals -> [overview] -> band, ruler, facets

   Invariant: asked of the server for the whole range, never counted from the rows on screen. */

import { computed, signal } from "@preact/signals";

import { endsNow, from, query, to } from "../address/address.ts";
import { askFacets, askHistogram } from "../api/client.ts";
import type { Facet, Histogram } from "../api/types.ts";
import { arrivals } from "../records/feed.ts";
import { report, settle } from "../records/problem.ts";
import { parse } from "../search/parser.ts";
import { resolveEnd, surroundings } from "../time/range.ts";

const BAND_BUCKETS = 120;
const WINDOW_BUCKETS = 200;
const BARS_EVERY_MS = 1000;
const FACETS_EVERY_MS = 4000;
const SLIDE_EVERY_MS = 10_000;

export const band = signal<Histogram | null>(null);
export const inWindow = signal<Histogram | null>(null);
export const facets = signal<Facet[]>([]);
export const isCounting = signal(false);
/** What is counted on a page without a search bar. */
export const scope = signal("");

/** The window in milliseconds when the range is absolute, else null: all is lit. */
export const lit = computed<[number, number] | null>(() => {
  if (endsNow.value && from.value.startsWith("-")) return null;
  const now_ms = Date.now();
  const range: [number, number] = [resolveEnd(from.value, now_ms), resolveEnd(to.value, now_ms)];
  return Number.isNaN(range[0]) || Number.isNaN(range[1]) ? null : range;
});

let abort = new AbortController();
let seen = 0;
let bars_ms = 0;
let facets_ms = 0;

function isReadable(q: string): boolean {
  try {
    parse(q);
    return true;
  } catch {
    return false;
  }
}

async function countBars(q: string, aborted: AbortSignal): Promise<void> {
  bars_ms = Date.now();
  if (lit.peek() === null) {
    const whole = await askHistogram(q, from.peek(), to.peek(), BAND_BUCKETS, aborted);
    band.value = whole;
    inWindow.value = whole;
    return;
  }
  const [start, end] = lit.peek() ?? [0, 0];
  const [first, last] = surroundings(start, end, Date.now());
  const answers = await Promise.all([
    askHistogram(q, first, last, BAND_BUCKETS, aborted),
    askHistogram(q, start, end, WINDOW_BUCKETS, aborted),
  ]);
  [band.value, inWindow.value] = answers;
}

async function countFacets(q: string, aborted: AbortSignal): Promise<void> {
  facets_ms = Date.now();
  facets.value = await askFacets(q, from.peek(), to.peek(), aborted);
}

/** Count everything anew for the address as it is. */
export async function recount(withFacets = true): Promise<void> {
  const q = query.peek() || scope.peek();
  if (!isReadable(q)) return;
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  seen = arrivals.peek();
  isCounting.value = true;
  const asked_ms = Date.now();
  try {
    await Promise.all([countBars(q, aborted), withFacets ? countFacets(q, aborted) : null]);
    settle(asked_ms);
  } catch (error) {
    if (!aborted.aborted) report(error, q);
  } finally {
    if (!aborted.aborted) isCounting.value = false;
  }
}

/** Called every quarter second: recounts when something arrived, slides when nothing did. */
export function tick(): void {
  if (isCounting.peek() || !endsNow.peek() || document.hidden) return;
  const age = Date.now() - bars_ms;
  const isDirty = arrivals.peek() !== seen && age >= BARS_EVERY_MS;
  if (!isDirty && age < SLIDE_EVERY_MS) return;
  void recount(Date.now() - facets_ms >= FACETS_EVERY_MS);
}
