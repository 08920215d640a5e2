/* Where the pages of traces lead: from a trace to its page, from a service to its logs.

   What was searched for goes along in the address, so that the way back is a plain link. */

import { from, go, param, query, to } from "../address/address.ts";
import { quote } from "../search/edit.ts";
import type { Row } from "../api/types.ts";

const KEPT = ["q", "from", "to", "sort", "group", "of", "tz"] as const;
const AROUND_MS = 60_000;

function url(path: string, params: Record<string, string>): string {
  const filled = Object.entries(params).filter(([, value]) => value !== "");
  const text = new URLSearchParams(filled).toString();
  return text === "" ? path : `${path}?${text}`;
}

function kept(): Record<string, string> {
  return Object.fromEntries(KEPT.map((name) => [name, param(name)]));
}

/** The page of one trace. */
export function traceUrl(traceId: string, more: Record<string, string> = {}): string {
  return url(`/traces/${encodeURIComponent(traceId)}`, { ...kept(), ...more });
}

/** The list of traces as it was left. */
export function listUrl(): string {
  return url("/traces", kept());
}

/** The list of traces, or of records, with one search over the range in force. */
export function searchUrl(path: "/traces" | "/logs", q: string): string {
  return url(path, { q, from: param("from"), to: param("to"), ...(path === "/traces" ? { group: param("group") } : {}) });
}

/** The map of services over the range in force. */
export function mapUrl(): string {
  return url("/map", { q: query.peek(), from: param("from"), to: param("to"), group: param("group") });
}

/** Open the trace of a record with the record marked. */
export function openTraceOf(row: Row): void {
  go(traceUrl(row.trace_id, { span: row.span_id, log: row.id, sort: "" }));
}

/** Open the records of a trace or of one of its spans; all of them lie around its time. */
export function openLogs(traceId: string, spanId: string, start_ms: number, end_ms: number, sel = ""): void {
  const q = `trace:${quote(traceId)}${spanId === "" ? "" : ` span:${quote(spanId)}`}`;
  const range = { from: String(Math.floor(start_ms) - AROUND_MS), to: String(Math.ceil(end_ms) + AROUND_MS) };
  go(url("/logs", { q, ...range, sel }));
}

/** Go back to the record that led here, in the list in which it stood. */
export function backToLog(log: string): void {
  go(url("/logs", { q: query.peek(), from: from.peek(), to: to.peek(), tz: param("tz"), live: "0", sel: log }));
}

