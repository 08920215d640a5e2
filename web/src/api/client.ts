/* Asks the server's JSON API; every failure becomes an ApiError that a Note can show. */

import type { Mistake } from "./insights.ts";
import type {
  Facet, Histogram, LogsPage, Program, RecordInContext, Setting, Status, Suggestion,
} from "./types.ts";

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly position: number | null = null,
    readonly length = 1,
    readonly hint = "",
    /** Where an Insights query is wrong; empty for every other failure. */
    readonly mistakes: Mistake[] = [],
  ) {
    super(message);
  }

  /** Whether the server did not answer at all, so that trying again may help. */
  get isAbsence(): boolean {
    return this.status === 0 || this.status >= 502;
  }
}

type Params = Record<string, string | number | undefined>;

export function apiUrl(path: string, params: Params = {}): URL {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

interface ErrorBody {
  error?: string | { message?: string; position?: number; length?: number; hint?: string };
  errors?: Mistake[];
}

/** What an error's body says, whichever of the two shapes it has. */
export function errorOf(body: ErrorBody, status: number): ApiError {
  const said = typeof body.error === "string" ? { message: body.error } : (body.error ?? {});
  const message = said.message ?? `the server answered ${status}`;
  const { position, length, hint } = said;
  return new ApiError(message, status, position ?? null, length ?? 1, hint ?? "", body.errors ?? []);
}

async function refusal(response: Response): Promise<ApiError> {
  let body: ErrorBody = {};
  try {
    body = (await response.json()) as ErrorBody;
  } catch {
    // A proxy's answer may be no JSON; the status line is then all there is to say.
  }
  return errorOf(body, response.status);
}

/** The answer of a request that the server took; every other outcome throws an ApiError. */
export async function reach(url: URL, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("the server does not answer", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function ask<T>(url: URL, init: RequestInit = {}): Promise<T> {
  return (await (await reach(url, init)).json()) as T;
}

export interface LogsQuery {
  q: string;
  from: string | number;
  to: string | number;
  limit?: number;
  cursor?: string;
  order?: "asc" | "desc";
}

export function askLogs(query: LogsQuery, signal?: AbortSignal): Promise<LogsPage> {
  return ask(apiUrl("logs", { ...query }), { signal: signal ?? null });
}

export function askRecord(id: string, context: number, signal?: AbortSignal): Promise<RecordInContext> {
  return ask(apiUrl(`logs/${encodeURIComponent(id)}`, { context }), { signal: signal ?? null });
}

export function askHistogram(
  q: string, from: string | number, to: string | number, buckets: number, signal?: AbortSignal,
): Promise<Histogram> {
  return ask(apiUrl("histogram", { q, from, to, buckets }), { signal: signal ?? null });
}

export async function askFacets(
  q: string, from: string | number, to: string | number, signal?: AbortSignal,
): Promise<Facet[]> {
  const answer = await ask<{ facets: Facet[] }>(apiUrl("facets", { q, from, to }), { signal: signal ?? null });
  return answer.facets;
}

export async function askFields(from: string, to: string): Promise<{ name: string; count: number }[]> {
  return (await ask<{ fields: { name: string; count: number }[] }>(apiUrl("fields", { from, to }))).fields;
}

export async function askSuggestions(params: Params, signal: AbortSignal, ofSpans = false): Promise<Suggestion[]> {
  const answer = await ask<Suggestion[] | { values?: Suggestion[]; suggestions?: Suggestion[] }>(
    apiUrl(ofSpans ? "traces/suggest" : "suggest", params), { signal });
  return Array.isArray(answer) ? answer : (answer.suggestions ?? answer.values ?? []);
}

export function askStatus(): Promise<Status> {
  return ask(apiUrl("status"));
}

export async function askPrograms(): Promise<Program[]> {
  return (await ask<{ programs: Program[] }>(apiUrl("programs"))).programs;
}

export async function askSettings(): Promise<Setting[]> {
  return (await ask<{ settings: Setting[] }>(apiUrl("settings"))).settings;
}

export function sendTestRecord(): Promise<{ id: string }> {
  return ask(apiUrl("test-record"), { method: "POST" });
}
