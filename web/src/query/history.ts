/* The queries that were run in this browser: the last fifty, with time and count of rows. */

import { signal } from "@preact/signals";

import type { Result } from "../api/insights.ts";

export interface Past {
  query: string;
  groups: string[];
  from: string;
  to: string;
  at_ms: number;
  rows: number;
  seconds: number;
}

const NAME = "clerestory.query-history";
const RUNS_MAX = 50;

function load(): Past[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(found) ? (found as Past[]).slice(0, RUNS_MAX) : [];
  } catch {
    return [];
  }
}

export const past = signal<Past[]>(load());

function keep(runs: Past[]): void {
  past.value = runs;
  try {
    localStorage.setItem(NAME, JSON.stringify(runs));
  } catch {
    // A browser that stores nothing still has the history of this page.
  }
}

/** Put a run on top; the same query asked again is one entry. */
export function rememberRun(asked: Pick<Past, "query" | "groups" | "from" | "to">, result: Result): void {
  const { seconds } = result.statistics;
  const entry = { ...asked, at_ms: Date.now(), rows: result.rows.length, seconds };
  const others = past.peek().filter((one) => one.query !== asked.query || one.groups.join() !== asked.groups.join());
  keep([entry, ...others].slice(0, RUNS_MAX));
}

export function forgetRuns(): void {
  keep([]);
}
