/* Runs the query and holds what came of it; the last good result stays until the next one.

     editor, address -> [run] -> progress, table, chart, export

   Invariant: one query at a time; a new one, Stop or leaving the page closes the old connection. */

import { computed, signal } from "@preact/signals";

import { from, setParams, to } from "../address/address.ts";
import { ApiError } from "../api/client.ts";
import { askExport, askInsights, type ExportFormat, type Progress, type Question, type Result } from "../api/insights.ts";
import { serverNow } from "../api/health.ts";
import { say } from "../parts/clipboard.ts";
import { resolveEnd } from "../time/range.ts";
import { accuse } from "./check.ts";
import { rememberRun } from "./history.ts";
import { draft, groups, settleAddress } from "./question.ts";

export interface Outcome {
  result: Result;
  question: Question;
  at_ms: number;
}

export const outcome = signal<Outcome | null>(null);
export const progress = signal<Progress | null>(null);
export const isRunning = signal(false);
/** Whether it runs long enough for somebody to want to stop it. */
export const isSlow = signal(false);
/** Why the last run gave nothing; "" when it did, or when the query itself is underlined. */
export const failure = signal("");
/** Whether what is shown answers another query than the one in the editor. */
export const isStale = computed(() => outcome.value !== null && outcome.value.question.query !== draft.value);

/* The clocks of senders run a little ahead. */
const AHEAD_MS = 1000;
const SLOW_MS = 250;
let slowTimer = 0;
let abort = new AbortController();

/* The edges are fixed when the query is run, so that an export holds what the table shows. */
function questionOf(query: string): Question {
  const now = serverNow();
  const last = resolveEnd(to.peek(), now) + (to.peek() === "now" ? AHEAD_MS : 0);
  const edges = [resolveEnd(from.peek(), now), last].map((ms, i) =>
    Number.isNaN(ms) ? [from.peek(), to.peek()][i] ?? "" : String(Math.round(ms)));
  return { query, groups: groups.peek(), from: edges[0] ?? "", to: edges[1] ?? "", limit: null };
}

function setRunning(now: boolean): void {
  clearTimeout(slowTimer);
  isRunning.value = now;
  isSlow.value = false;
  if (now) slowTimer = window.setTimeout(() => { isSlow.value = true; }, SLOW_MS);
  else progress.value = null;
}

/** Stop what runs; false when nothing did. */
export function cancel(): boolean {
  if (!isRunning.peek()) return false;
  abort.abort();
  setRunning(false);
  return true;
}

export function stop(): void {
  if (cancel()) say("stopped; nothing more is read");
}

function fail(error: unknown, query: string): void {
  if (error instanceof ApiError && error.mistakes.length > 0) {
    accuse(query, error.mistakes);
    return;
  }
  failure.value = error instanceof Error ? error.message : String(error);
}

/** Run the query of the editor; `push` makes a step that Back takes back. */
export async function run(push = true): Promise<void> {
  cancel();
  const query = draft.peek();
  settleAddress(push);
  if (query.trim() === "") return;
  setParams({ sel: "" });
  const question = questionOf(query);
  abort = new AbortController();
  const { signal: aborted } = abort;
  setRunning(true);
  failure.value = "";
  try {
    const result = await askInsights(question, (now) => { if (!aborted.aborted) progress.value = now; }, aborted);
    if (aborted.aborted) return;
    outcome.value = { result, question, at_ms: Date.now() };
    rememberRun({ query, groups: question.groups, from: from.peek(), to: to.peek() }, result);
  } catch (error) {
    if (!aborted.aborted) fail(error, query);
  } finally {
    if (!aborted.aborted) setRunning(false);
  }
}

/** Save the shown result, run again over the same edges, as a file. */
export async function exportAs(format: ExportFormat): Promise<void> {
  const shown = outcome.peek();
  if (!shown) return;
  say(`writing ${format}`);
  try {
    const [blob, name] = await askExport(shown.question, format);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`${name} saved`);
  } catch (error) {
    failure.value = `nothing was exported: ${(error as Error).message}`;
  }
}

/** Forget what is shown, as when a new query is begun. */
export function forget(): void {
  cancel();
  outcome.value = null;
  failure.value = "";
}
