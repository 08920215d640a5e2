/* What the spans of each service, and of each operation within it, add up to.

     spans, self times -> [tallies] -> By service

   Invariant: a span counts once in its service and once in its operation. */

import { endOf, type Node } from "../tree.ts";

export interface Tally {
  /** Tells it from every other of the trace. */
  key: string;
  service: string;
  /** Name of the spans of an operation; null for the whole service. */
  operation: string | null;
  /** Its earliest span, by which an address can name it. */
  first: Node;
  spans: number;
  errors: number;
  /** Sum of the durations, of spans within spans, too. */
  total: number;
  self: number;
  /** Of a service, the one with most self time first. */
  operations: Tally[];
}

function emptyOf(first: Node, operation: string | null): Tally {
  const { service } = first.span;
  return { key: `tally ${JSON.stringify([service, operation])}`, service, operation, first, spans: 0, errors: 0, total: 0, self: 0, operations: [] };
}

function add(tally: Tally, node: Node, self: number, now: number): void {
  tally.spans += 1;
  if (node.span.status === "error") tally.errors += 1;
  tally.total += endOf(node, now) - node.start;
  tally.self += self;
}

function mostFirst(a: Tally, b: Tally): number {
  return b.self - a.self || b.total - a.total || b.spans - a.spans || a.first.index - b.first.index;
}

/** The services, and within them the operations, by self time; `selves` has that of each span by its index. */
export function talliesOf(nodes: Node[], selves: number[], now: number): Tally[] {
  const services = new Map<string, { whole: Tally; operations: Map<string, Tally> }>();
  for (const node of nodes) {
    const { service, name } = node.span;
    const found = services.get(service) ?? { whole: emptyOf(node, null), operations: new Map<string, Tally>() };
    services.set(service, found);
    const operation = found.operations.get(name) ?? emptyOf(node, name);
    found.operations.set(name, operation);
    for (const tally of [found.whole, operation]) add(tally, node, selves[node.index] ?? 0, now);
  }
  const all = [...services.values()].map(({ whole, operations }) => {
    whole.operations = [...operations.values()].sort(mostFirst);
    return whole;
  });
  return all.sort(mostFirst);
}

/** Whether a span belongs to a tally's service and, where it has one, operation. */
export function isOf(node: Node, { service, operation }: Pick<Tally, "service" | "operation">): boolean {
  return node.span.service === service && (operation === null || node.span.name === operation);
}
