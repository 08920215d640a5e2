/* Asks the Insights routes: run with progress, check, language, fields, groups, saved, export.

     query page -> [insights] -> server /api/v1/insights

   Invariant: aborting the signal closes the connection, which is how the server learns that
   nobody waits for the answer any more. */

import { ApiError, apiUrl, ask, errorOf, reach } from "./client.ts";

/** Where a query is wrong, in characters, and what to do. */
export interface Mistake {
  start: number;
  end: number;
  message: string;
  suggestion: string | null;
}

export interface Question {
  query: string;
  groups: string[];
  from: string;
  to: string;
  limit: number | null;
}

export interface Progress {
  records_scanned: number;
  bytes_scanned: number;
  /** Unknown while the query runs. */
  records_matched: number | null;
  seconds: number;
}

export type Cell = string | number | null;

export interface Column {
  name: string;
  type: "time" | "number" | "text" | "record";
}

export interface Result {
  columns: Column[];
  rows: Cell[][];
  record_ids: (string | null)[];
  statistics: Progress;
  limit: number;
  limited: boolean;
  warnings?: string[];
}

export interface Checked {
  errors: Mistake[];
  commands: string[];
  chart: "none" | "time" | "bar";
}

export interface Word {
  name: string;
  syntax: string;
  summary: string;
  example?: string;
  kind?: string;
}

export interface Language {
  commands: Word[];
  functions: Word[];
  keywords: string[];
}

export interface FieldShare {
  name: string;
  share: number;
}

export interface Group {
  name: string;
  records: number;
}

export interface Saved {
  id: string;
  name: string;
  query: string;
  groups: string[];
  modified: number;
}

export type ExportFormat = "csv" | "json" | "ndjson" | "parquet";

interface Line {
  progress?: Progress;
  result?: Result;
  error?: string | { message?: string };
  errors?: Mistake[];
}

function posted(body: unknown, signal?: AbortSignal, method = "POST"): RequestInit {
  const headers = { "Content-Type": "application/json" };
  return { method, headers, body: JSON.stringify(body), signal: signal ?? null };
}

/* Lines of a stream, each whole; a line may be as long as a result is. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let held: string[] = [];
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError("the connection broke while the query ran; run it again", 0);
    });
    const parts = (done ? decoder.decode() : decoder.decode(value, { stream: true })).split("\n");
    held.push(parts[0] ?? "");
    for (const part of parts.slice(1)) {
      yield held.join("");
      held = [part];
    }
    if (done) break;
  }
  yield held.join("");
}

/** Run a query to its result; `onProgress` hears how far it is. */
export async function askInsights(
  question: Question, onProgress: (progress: Progress) => void, signal: AbortSignal,
): Promise<Result> {
  const response = await reach(apiUrl("insights"), posted(question, signal));
  if (!response.body) throw new ApiError("the server answered without a body", response.status);
  for await (const text of linesOf(response.body)) {
    if (text.trim() === "") continue;
    const line = JSON.parse(text) as Line;
    if (line.progress) onProgress(line.progress);
    if (line.error !== undefined) throw errorOf(line, 200);
    if (line.result) return line.result;
  }
  throw new ApiError("the server closed the connection before the result was there", 0);
}

export function askCheck(query: string, signal: AbortSignal): Promise<Checked> {
  return ask(apiUrl("insights/check"), posted({ query }, signal));
}

export function askLanguage(): Promise<Language> {
  return ask(apiUrl("insights/language"));
}

export async function askFieldShares(
  groups: string[], from: string, to: string, signal: AbortSignal,
): Promise<FieldShare[]> {
  const url = apiUrl("insights/fields", { groups: groups.join(","), from, to });
  return (await ask<{ fields: FieldShare[] }>(url, { signal })).fields;
}

export async function askGroups(prefix: string, signal: AbortSignal): Promise<Group[]> {
  return (await ask<{ groups: Group[] }>(apiUrl("insights/groups", { prefix }), { signal })).groups;
}

export async function askSaved(): Promise<Saved[]> {
  return (await ask<{ saved: Saved[] }>(apiUrl("insights/saved"))).saved;
}

export function putSaved(entry: Pick<Saved, "name" | "query" | "groups"> & { id?: string }): Promise<Saved> {
  return ask(apiUrl("insights/saved"), posted(entry, undefined, "PUT"));
}

export async function deleteSaved(id: string): Promise<void> {
  await reach(apiUrl(`insights/saved/${encodeURIComponent(id)}`), { method: "DELETE" });
}

/** The result as a file: its bytes and the name that the server gave it. */
export async function askExport(question: Question, format: ExportFormat): Promise<[Blob, string]> {
  const response = await reach(apiUrl("insights/export", { format }), posted(question));
  const told = response.headers.get("Content-Disposition") ?? "";
  const name = /filename="?([^";]+)"?/.exec(told)?.[1] ?? `query.${format}`;
  return [await response.blob(), name];
}
