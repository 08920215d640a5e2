/* The spans in the order of a column, and which of them some words find.

     spans, self times -> [order] -> table

   Invariant: equal spans keep the order of time, in either direction. */

import { endOf, type Node } from "../tree.ts";

export type Column = "name" | "service" | "kind" | "start" | "duration" | "self" | "status";

export interface Order {
  column: Column;
  isDescending: boolean;
}

const STATES = ["unset", "ok", "pending", "error"];
/* Where the interesting end is the large one. */
const LARGE_FIRST: ReadonlySet<string> = new Set(["duration", "self", "status"]);
const COLUMNS: ReadonlySet<string> = new Set(["name", "service", "kind", "start", ...LARGE_FIRST]);

/** How an address writes an order, such as "-duration"; by start where it is no order. */
export function orderOf(text: string): Order {
  const isDescending = text.startsWith("-");
  const column = isDescending ? text.slice(1) : text;
  return COLUMNS.has(column) ? { column: column as Column, isDescending } : { column: "start", isDescending: false };
}

/** The order after a click on a column's head, as an address writes it; "" is that of time. */
export function turned(order: Order, column: Column): string {
  const isDescending = order.column === column ? !order.isDescending : LARGE_FIRST.has(column);
  return isDescending ? `-${column}` : column === "start" ? "" : column;
}

function figureOf(node: Node, column: Column, selves: number[], now: number): number {
  if (column === "duration") return endOf(node, now) - node.start;
  if (column === "self") return selves[node.index] ?? 0;
  if (column === "status") return STATES.indexOf(node.span.pending ? "pending" : node.span.status);
  return node.start;
}

function textOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The spans in an order; `selves` has the self time of each span of the trace by its index. */
export function ordered(nodes: Node[], { column, isDescending }: Order, selves: number[], now: number): Node[] {
  const sign = isDescending ? -1 : 1;
  const inTime = (a: Node, b: Node) => a.start - b.start || a.index - b.index;
  if (column === "name" || column === "service" || column === "kind") {
    return [...nodes].sort((a, b) => sign * textOrder(a.span[column], b.span[column]) || inTime(a, b));
  }
  const figures = new Map(nodes.map((node) => [node, figureOf(node, column, selves, now)]));
  return [...nodes].sort((a, b) => sign * ((figures.get(a) ?? 0) - (figures.get(b) ?? 0)) || inTime(a, b));
}

/** What finds the spans in which each word stands: in name, service, kind, status or its message. */
export function finderOf(text: string): (node: Node) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return ({ span }) => {
    const said = [span.name, span.service, span.kind, span.status, span.status_message].join("\n").toLowerCase();
    return words.every((word) => said.includes(word));
  };
}
