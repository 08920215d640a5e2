/* Whether the query in the editor can be run: asked of the server a moment after the last key.

     editor -> [check] -> underline, note, run button */

import { computed, effect, signal } from "@preact/signals";

import { askCheck, type Checked, type Mistake } from "../api/insights.ts";
import { draft } from "./question.ts";

const ASK_MS = 300;

interface Verdict extends Checked {
  query: string;
}

const verdict = signal<Verdict | null>(null);

/** A mistake in the units of JavaScript's strings, with the text that would put it right. */
export interface Fault extends Mistake {
  replacement: string;
  hint: string;
}

/* The server counts characters, JavaScript counts UTF-16 units. */
function unitsOf(text: string, characters: number): number {
  return [...text].slice(0, characters).join("").length;
}

/* A suggestion is either what to write, or a sentence about it. */
function replacementOf(suggestion: string): string {
  const named = /did you mean `([^`]+)`/.exec(suggestion)?.[1];
  if (named !== undefined) return named;
  return /\s/.test(suggestion) ? "" : suggestion;
}

function faultOf(query: string, mistake: Mistake): Fault {
  const start = unitsOf(query, mistake.start);
  const end = Math.max(start, unitsOf(query, mistake.end));
  const suggestion = mistake.suggestion ?? "";
  const replacement = replacementOf(suggestion);
  return { ...mistake, start, end, replacement, hint: replacement === "" ? suggestion : "" };
}

/** What is wrong with the query as it stands; empty while that is not known. */
export const faults = computed<Fault[]>(() => {
  const known = verdict.value;
  if (!known || known.query !== draft.value) return [];
  return known.errors.map((mistake) => faultOf(known.query, mistake));
});

/** Let a failed run underline what it complained about. */
export function accuse(query: string, errors: Mistake[]): void {
  verdict.value = { query, errors, commands: [], chart: "none" };
}

/** What the chart of a query would be; null when it was not checked. */
export function chartOf(query: string): Checked["chart"] | null {
  const known = verdict.value;
  return known?.query === query && known.errors.length === 0 ? known.chart : null;
}

/** Check whatever is typed from now on; returns how to stop. */
export function watchDraft(): () => void {
  let timer = 0;
  let abort = new AbortController();
  const stop = effect(() => {
    const query = draft.value;
    clearTimeout(timer);
    abort.abort();
    if (query.trim() === "" || verdict.peek()?.query === query) return;
    abort = new AbortController();
    const { signal: aborted } = abort;
    timer = window.setTimeout(() => {
      askCheck(query, aborted).then((checked) => { verdict.value = { ...checked, query }; })
        // Without an answer nothing is underlined; running the query says what is wrong.
        .catch(() => undefined);
    }, ASK_MS);
  });
  return () => {
    stop();
    clearTimeout(timer);
    abort.abort();
  };
}
