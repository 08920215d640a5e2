/* A trace as a tree of spans with their records, on a scale of nanoseconds from its start.

     server's trace -> [tree] -> rows, lanes, critical path

   Invariant: the server's order is kept; whatever its parents say, no span is missing. */

import type { Span, Trace } from "../api/traces.ts";
import type { Row } from "../api/types.ts";

export interface LogMark {
  row: Row;
  /** Nanoseconds from the trace's start. */
  at: number;
}

export interface Node {
  span: Span;
  index: number;
  depth: number;
  parent: Node | null;
  children: Node[];
  logs: LogMark[];
  start: number;
  /** End of a finished span; of one that is open see `endOf`. */
  end: number;
  /** How long before its parent it starts, which only clocks that differ can bring about. */
  early: number;
}

export interface Tree {
  nodes: Node[];
  roots: Node[];
  /** The span that stands for the whole: the first root that has no parent, else the longest. */
  main: Node | null;
  byId: Map<string, Node>;
  start: bigint;
  /** Until when something is known to have happened. */
  length: number;
  hasOpen: boolean;
  deepest: number;
  /** Records of no span that is here. */
  loose: LogMark[];
}

export type Line = { kind: "span"; node: Node } | { kind: "log"; mark: LogMark; node: Node | null; depth: number };

function nanoseconds(text: string): bigint {
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}

function startOf(trace: Trace): bigint {
  const moments = trace.spans.map((span) => nanoseconds(span.ts));
  if (moments.length === 0) moments.push(...trace.logs.map((row) => nanoseconds(row.ts)));
  return moments.reduce((least, one) => (one < least ? one : least), moments[0] ?? 0n);
}

function grow(trace: Trace, start: bigint): Node[] {
  const path: Node[] = [];
  return trace.spans.map((span, index) => {
    const parent = (span.depth > 0 ? path[span.depth - 1] : null) ?? null;
    const at = Number(nanoseconds(span.ts) - start);
    const node: Node = {
      span, index, depth: span.depth, parent, children: [], logs: [], start: at, end: at + Math.max(0, span.duration_ns),
      early: parent ? Math.max(0, parent.start - at) : 0,
    };
    parent?.children.push(node);
    path[span.depth] = node;
    path.length = span.depth + 1;
    return node;
  });
}

function mainOf(roots: Node[]): Node | null {
  const told = roots.filter((node) => node.span.parent_span_id === "");
  const among = told.length > 0 ? told : roots;
  return among.reduce<Node | null>((best, node) => (!best || node.end - node.start > best.end - best.start ? node : best), null);
}

/** The tree of a trace as the server tells it. */
export function treeOf(trace: Trace): Tree {
  const start = startOf(trace);
  const nodes = grow(trace, start);
  const byId = new Map(nodes.map((node) => [node.span.span_id, node]));
  const loose: LogMark[] = [];
  for (const row of trace.logs) {
    const mark = { row, at: Number(nanoseconds(row.ts) - start) };
    (byId.get(row.span_id)?.logs ?? loose).push(mark);
  }
  const roots = nodes.filter((node) => node.parent === null);
  let length = 1;
  for (const node of nodes) length = Math.max(length, node.end, ...node.logs.map((mark) => mark.at).slice(-1));
  if (nodes.length === 0) length = Math.max(length, ...loose.map((mark) => mark.at).slice(-1));
  return { nodes, roots, main: mainOf(roots), byId, start, length, hasOpen: nodes.some((node) => node.span.pending), deepest: nodes.reduce((most, node) => Math.max(most, node.depth), 0), loose };
}

/** When a span ends; one that is open ends, so far, now. */
export function endOf(node: Node, now: number): number {
  return node.span.pending ? Math.max(node.start, now, node.end) : node.end;
}

/** The lines in their order: children and records of a span by time below it. */
export function linesOf(tree: Tree, folded: ReadonlySet<string>, isShown: (row: Row) => boolean): Line[] {
  const lines: Line[] = [];
  const waiting: Line[] = [];
  const push = (children: Node[], marks: LogMark[], owner: Node | null, depth: number) => {
    const below: { at: number; line: Line }[] = children.map((node) => ({ at: node.start, line: { kind: "span", node } }));
    for (const mark of marks) {
      if (isShown(mark.row)) below.push({ at: mark.at, line: { kind: "log", mark, node: owner, depth } });
    }
    // Stable: a record of the very moment at which a child starts stands behind it.
    below.sort((a, b) => a.at - b.at);
    for (let i = below.length - 1; i >= 0; i -= 1) waiting.push((below[i] as { line: Line }).line);
  };
  const [first] = tree.roots;
  push(tree.roots, first ? [] : tree.loose, null, 0);
  while (waiting.length > 0) {
    const line = waiting.pop() as Line;
    lines.push(line);
    if (line.kind === "log" || folded.has(line.node.span.span_id)) continue;
    const { node } = line;
    push(node.children, node === first ? [...node.logs, ...tree.loose] : node.logs, node, node.depth + 1);
  }
  return lines;
}

/** How many spans lie below a span. */
export function countBelow(node: Node): number {
  let count = 0;
  const waiting = [...node.children];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    count += 1;
    waiting.push(...next.children);
  }
  return count;
}

/** Time in which a span was itself at work: its own less what its children cover. */
export function selfTime(node: Node, now: number): number {
  const end = endOf(node, now);
  let covered = 0;
  let reached = node.start;
  for (const child of [...node.children].sort((a, b) => a.start - b.start)) {
    const from = Math.max(reached, Math.min(child.start, end));
    const to = Math.min(end, endOf(child, now));
    if (to > from) covered += to - from;
    reached = Math.max(reached, to);
  }
  return end - node.start - covered;
}
