/* The critical path: which span the whole was waiting for at each moment.

     tree -> [critical] -> stepped line, shares

   Walks back from the root's end; at each moment it is the child that ended last. What a queue
   hands on is not waited for, and a child that outlives its parent counts until its parent's end.

   Invariant: the pieces do not overlap, and their sum is the root's duration. */

import { endOf, type Node } from "./tree.ts";

export interface Piece {
  node: Node;
  from: number;
  to: number;
}

function isWaitedFor(child: Node, parent: Node): boolean {
  if (child.span.pending && !parent.span.pending) return false;
  return child.span.kind !== "consumer";
}

function laterFirst(until: number, now: number) {
  return (a: Node, b: Node) => {
    const [endA, endB] = [endOf(a, now), endOf(b, now)];
    return Math.min(endB, until) - Math.min(endA, until) || endA - endB || a.start - b.start;
  };
}

/** The pieces of the path below a root, in the order of time. */
export function criticalPath(root: Node, now: number): Piece[] {
  const pieces: Piece[] = [];
  const waiting: Piece[] = [{ node: root, from: root.start, to: endOf(root, now) }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { node, from, to: until } = next;
    let at = until;
    const children = node.children.filter((child) => isWaitedFor(child, node)).sort(laterFirst(until, now));
    for (const child of children) {
      const end = Math.min(endOf(child, now), until);
      const start = Math.max(child.start, from);
      if (end > at || start >= end) continue;
      if (at > end) pieces.push({ node, from: end, to: at });
      waiting.push({ node: child, from: start, to: end });
      at = start;
    }
    if (at > from) pieces.push({ node, from, to: at });
  }
  return pieces.sort((a, b) => a.from - b.from);
}

/** What each service has of the path, the largest first. */
export function sharesOf(pieces: Piece[]): { service: string; ns: number }[] {
  const sums = new Map<string, number>();
  for (const { node, from, to } of pieces) {
    const { service } = node.span;
    sums.set(service, (sums.get(service) ?? 0) + to - from);
  }
  return [...sums].map(([service, ns]) => ({ service, ns })).sort((a, b) => b.ns - a.ns);
}
