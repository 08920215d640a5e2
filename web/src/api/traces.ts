/* What the server answers about traces; times and durations in nanoseconds, moments as strings. */

import { apiUrl, ask } from "./client.ts";
import type { Row } from "./types.ts";

export interface ServiceShare {
  name: string;
  spans: number;
  errors: number;
}

export interface TraceSummary {
  trace_id: string;
  name: string;
  service: string;
  kind: string;
  status: string;
  /** Whether the root is stored; else the earliest span stands for it. */
  rooted: boolean;
  ts: string;
  duration_ns: number;
  spans: number;
  errors: number;
  pending: number;
  services: ServiceShare[];
}

export interface TracesPage {
  traces: TraceSummary[];
  next: string | null;
  elapsed_ms: number;
}

/** [time in ms, bucket of the duration, count, errors] */
export type HeatCell = [number, number, number, number];

export interface HeatMap {
  from_ms: number;
  to_ms: number;
  step_ms: number;
  per_doubling: number;
  cells: HeatCell[];
  matched: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
}

export interface SpanEvent {
  name: string;
  ts: string;
  attrs: Record<string, unknown>;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  attrs: Record<string, unknown>;
}

export interface Span {
  span_id: string;
  parent_span_id: string;
  depth: number;
  orphan: boolean;
  name: string;
  service: string;
  scope: string;
  kind: string;
  status: string;
  status_message: string;
  ts: string;
  duration_ns: number;
  pending: boolean;
  trace_state: string;
  peer: string;
  peer_kind: string;
  dropped: number;
  attrs: Record<string, unknown>;
  /** Place in the trace's list of resources. */
  resource: number;
  events: SpanEvent[];
  links: SpanLink[];
}

export interface Trace {
  trace_id: string;
  name: string;
  service: string;
  ts: string;
  duration_ns: number;
  errors: number;
  services: ServiceShare[];
  spans: Span[];
  resources: Record<string, unknown>[];
  limited: boolean;
  logs: Row[];
  logs_limited: boolean;
}

/** How long spans of one service, name and kind took in the hours before a trace. */
export interface Usual {
  service: string;
  name: string;
  kind: string;
  count: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
}

export interface UsualAnswer {
  from_ms: number;
  to_ms: number;
  usual: Usual[];
}

export interface MapService {
  name: string;
  spans: number;
  requests: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
}

export interface MapEdge {
  caller: string;
  callee: string;
  kind: string;
  calls: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
}

export interface ServiceMap {
  from_ms: number;
  to_ms: number;
  services: MapService[];
  edges: MapEdge[];
  limited: boolean;
}

/** What the pages of traces ask about: a search, a range, and a group of X-Ray's. */
export interface Scope {
  q: string;
  from: string | number;
  to: string | number;
  group: string;
}

export type Of = "traces" | "spans";

export function askTraces(
  scope: Scope, more: { sort?: string; limit?: number; cursor?: string }, signal?: AbortSignal,
): Promise<TracesPage> {
  return ask(apiUrl("traces", { ...scope, ...more }), { signal: signal ?? null });
}

export function askHeat(
  scope: Scope, more: { of: Of; buckets: number; per_doubling?: number }, signal?: AbortSignal,
): Promise<HeatMap> {
  return ask(apiUrl("traces/histogram", { ...scope, ...more }), { signal: signal ?? null });
}

export function askTrace(id: string, limit: number, signal?: AbortSignal): Promise<Trace> {
  return ask(apiUrl(`traces/${encodeURIComponent(id)}`, { limit }), { signal: signal ?? null });
}

export function askUsual(id: string, signal?: AbortSignal): Promise<UsualAnswer> {
  return ask(apiUrl(`traces/${encodeURIComponent(id)}/usual`), { signal: signal ?? null });
}

export function askMap(scope: Scope, signal?: AbortSignal): Promise<ServiceMap> {
  return ask(apiUrl("services/map", { ...scope }), { signal: signal ?? null });
}
