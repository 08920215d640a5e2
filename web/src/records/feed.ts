/* Fills the ring: pages from the store, new records from the tail, gaps where either is short.

     address -> [feed] -> ring -> table
                  ^ tail

   Invariants: what was on screen stays until its successor has arrived; a live record is
   neither lost between page and tail (they overlap) nor shown twice (the ring knows ids). */

import { computed, signal } from "@preact/signals";

import {
  endsNow, from, isLive, query, selected, setParams, to,
} from "../address/address.ts";
import { askLogs, askRecord } from "../api/client.ts";
import { Tail } from "../api/tail.ts";
import type { Row, TailFrame } from "../api/types.ts";
import { parse } from "../search/parser.ts";
import { countText } from "../parts/text.ts";
import { millisOf } from "../time/clock.ts";
import { problem, report, settle } from "./problem.ts";
import { ITEMS_MAX, Ring } from "./ring.ts";

const PAGE_ROWS = 1000;
const FIRST_ROWS = 500;
const GAP_ROWS = 1000;

export const ring = new Ring();
export const isLoading = signal(false);
export const isStarted = signal(false);
/** Records that arrived since following stopped. */
export const fresh = signal(0);
/** Matching records a second, as this page receives them. */
export const rate = signal(0);
/** Counts every arrival, so that counts and bars know when they are out of date. */
export const arrivals = signal(0);

const older = signal<string | null>(null);
const newer = signal<string | null>(null);
export const hasOlder = computed(() => older.value !== null);
export const hasNewer = computed(() => newer.value !== null);

let abort = new AbortController();
let early: Row[] | null = null;
let gaps = 0;
let isPaging = false;

function isAppending(): boolean {
  return endsNow.peek() && newer.peek() === null;
}

function take(frame: TailFrame): void {
  const rows = frame.rows ?? [];
  if (frame.skipped) addGap(frame.skipped);
  if (rows.length === 0) return;
  arrivals.value += rows.length;
  if (early) {
    early.push(...rows);
    return;
  }
  const count = isAppending() ? ring.append(rows) : rows.length;
  if (!isLive.peek()) fresh.value += count;
}

function addGap(count: number): void {
  const before = ring.lastRow();
  const id = `gap-${(gaps += 1)}`;
  ring.appendGap({
    gap: true, id, text: `${countText(count)} skipped by this page`, action: "load them",
    run: () => void loadGap(id, before),
  });
}

async function loadGap(id: string, before: Row | undefined): Promise<void> {
  const at = ring.items.findIndex((item) => item.id === id);
  const after = ring.items.slice(at + 1).find((item): item is Row => !("gap" in item));
  const range = {
    from: before ? millisOf(before.ts) : from.peek(),
    to: after ? millisOf(after.ts) + 1 : "now",
  };
  try {
    const page = await askLogs({ q: query.peek(), ...range, limit: GAP_ROWS, order: "asc" });
    ring.fillGap(id, page.rows);
  } catch (error) {
    report(error, query.peek());
  }
}

export const tail = new Tail(take, (isReturn) => {
  arrivals.value += 1;
  if (isReturn && problem.peek()?.isAbsence) settle();
  // The page was read before the tail was surely listening: look once more at the newest.
  setTimeout(() => void topUp(), 1000);
});

async function topUp(): Promise<void> {
  if (!isAppending() || early) return;
  const q = query.peek();
  try {
    const page = await askLogs({ q, from: from.peek(), to: "now", limit: 200 });
    if (q === query.peek() && isAppending() && !early) ring.merge(page.rows.reverse());
  } catch {
    // The next page or the next reconnect tells; this look was only a second one.
  }
}

/** Read the newest page of the range in the address and start listening. */
export async function load(): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  const q = query.peek();
  try {
    parse(q);
  } catch (error) {
    report(error, q);
    return;
  }
  isLoading.value = true;
  const asked_ms = Date.now();
  early = [];
  tail.start(q);
  try {
    await loadFirst(q, aborted);
    settle(asked_ms);
  } catch (error) {
    if (!aborted.aborted) report(error, q);
  } finally {
    if (!aborted.aborted) finishLoad();
  }
}

function finishLoad(): void {
  const waiting = early ?? [];
  early = null;
  fresh.value = 0;
  if (isAppending()) ring.append(waiting);
  isLoading.value = false;
  isStarted.value = true;
}

async function loadFirst(q: string, aborted: AbortSignal): Promise<void> {
  const range = { q, from: from.peek(), to: to.peek() };
  const page = await askLogs({ ...range, limit: FIRST_ROWS, order: "desc" }, aborted);
  const wanted = selected.peek();
  if (wanted !== "" && !page.rows.some((row) => row.id === wanted) && page.next !== null) {
    if (await loadAround(wanted, range, aborted)) return;
  }
  ring.clear();
  ring.append(page.rows.reverse());
  older.value = page.next;
  newer.value = null;
}

type Range = { q: string; from: string; to: string };

/* A selected record may lie far from the end: read the pages on both sides of it instead. */
async function loadAround(id: string, range: Range, aborted: AbortSignal): Promise<boolean> {
  let at_ms: number;
  try {
    at_ms = millisOf((await askRecord(id, 0, aborted)).record.ts);
  } catch {
    return false;
  }
  const [before, after] = await Promise.all([
    askLogs({ ...range, to: at_ms + 1, limit: FIRST_ROWS, order: "desc" }, aborted),
    askLogs({ ...range, from: at_ms, limit: FIRST_ROWS, order: "asc" }, aborted),
  ]);
  ring.clear();
  ring.append(before.rows.reverse());
  ring.append(after.rows);
  older.value = before.next;
  newer.value = after.next;
  return true;
}

async function page(cursor: string, order: "asc" | "desc"): Promise<void> {
  if (isPaging || isLoading.peek() || ring.items.length >= ITEMS_MAX - PAGE_ROWS) return;
  isPaging = true;
  const { signal: aborted } = abort;
  const range = { q: query.peek(), from: from.peek(), to: to.peek() };
  try {
    const answer = await askLogs({ ...range, limit: PAGE_ROWS, cursor, order }, aborted);
    if (order === "desc") {
      ring.prepend(answer.rows.reverse());
      older.value = answer.next;
    } else {
      ring.append(answer.rows);
      newer.value = answer.next;
    }
  } catch (error) {
    if (!aborted.aborted) report(error, query.peek());
  } finally {
    isPaging = false;
  }
}

export function loadOlder(): void {
  if (older.peek() !== null) void page(older.peek() ?? "", "desc");
}

export function loadNewer(): void {
  if (newer.peek() !== null) void page(newer.peek() ?? "", "asc");
}

/** Read the first page of the range; the way to its end is then paged forwards. */
export async function loadStart(): Promise<void> {
  if (older.peek() === null) return;
  const range = { q: query.peek(), from: from.peek(), to: to.peek() };
  try {
    const answer = await askLogs({ ...range, limit: PAGE_ROWS, order: "asc" }, abort.signal);
    ring.clear();
    ring.append(answer.rows);
    older.value = null;
    newer.value = answer.next;
  } catch (error) {
    report(error, query.peek());
  }
}

/** Read the end of the range again, when only its start was held. */
export async function loadEnd(): Promise<void> {
  if (newer.peek() !== null) await load();
}

export function pause(): void {
  if (!isLive.peek()) return;
  fresh.value = 0;
  setParams({ live: "0" });
}

export function resume(): void {
  if (!endsNow.peek()) {
    setParams({ from: "", to: "", live: "1", sel: "" }, true);
    return;
  }
  fresh.value = 0;
  setParams({ live: "1" });
  void loadEnd();
}

let counted = 0;
setInterval(() => {
  rate.value = Math.max(0, arrivals.peek() - counted);
  counted = arrivals.peek();
}, 1000);
