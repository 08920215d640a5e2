/* Traces made up for tests, span by span. */

import type { Span, Trace } from "../../api/traces.ts";
import { type Tree, treeOf } from "../tree.ts";

export type Told = [depth: number, start: number, duration: number, more?: Partial<Span>];

const SECOND = 1_795_314_823n * 1_000_000_000n;

function spanOf([depth, start, duration, more]: Told, index: number): Span {
  return {
    span_id: String(index), parent_span_id: depth === 0 ? "" : "x", depth, orphan: false, name: `span ${index}`, service: `s${index % 3}`,
    scope: "", kind: "internal", status: "unset", status_message: "", ts: String(SECOND + BigInt(start)), duration_ns: duration, pending: false,
    trace_state: "", peer: "", peer_kind: "", dropped: 0, attrs: {}, resource: 0, events: [], links: [], ...more,
  };
}

export function treeFrom(told: Told[]): Tree {
  const trace = { spans: told.map(spanOf), logs: [] } as unknown as Trace;
  return treeOf(trace);
}

/** A small generator with a seed, so that a failure can be met again. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state % below;
  };
}
