/* What went wrong last, in the words a Note needs; null while all is well. */

import { signal } from "@preact/signals";

import { ApiError } from "../api/client.ts";
import { SearchError } from "../search/parser.ts";

export interface Problem {
  message: string;
  hint: string;
  /** Where in the search text, in UTF-16 units; null when it is not about the text. */
  position: number | null;
  length: number;
  search: string;
  isAbsence: boolean;
  since_ms: number;
}

export const problem = signal<Problem | null>(null);
/** When what is on screen was read; 0 before the first time. */
export const read_ms = signal(0);

/* The server counts characters, JavaScript counts UTF-16 units. */
function unitsOf(text: string, characters: number): number {
  return [...text].slice(0, characters).join("").length;
}

export function report(error: unknown, search: string): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const since_ms = problem.peek()?.since_ms ?? Date.now();
  const rest = { search, since_ms, position: null, length: 1, hint: "", isAbsence: false };
  if (error instanceof SearchError) {
    const { message, position, length, hint } = error;
    problem.value = { ...rest, message, position, length, hint };
  } else if (error instanceof ApiError) {
    const position = error.position === null ? null : unitsOf(search, error.position);
    const { message, length, hint, isAbsence } = error;
    problem.value = { ...rest, message, position, length, hint, isAbsence };
  } else {
    problem.value = { ...rest, message: String(error) };
  }
}

/** An answer has come; what went wrong after it was asked for is another matter and stays. */
export function settle(asked_ms = Infinity): void {
  if ((problem.peek()?.since_ms ?? 0) <= asked_ms) problem.value = null;
  read_ms.value = Date.now();
}
