/* How the trace is looked at, and which spans the tables list.

     address, state -> [view] -> waterfall, By service, table; keys

   Invariant: view, narrowing and order stand in the address; a change of view keeps the span. */

import { computed, signal } from "@preact/signals";

import { param, setParams } from "../../address/address.ts";
import { cursor, keyOf, lines, openEnd, traceId, tree, wanted, zoomed } from "../state.ts";
import { endOf, type Line, type Node, selfTime } from "../tree.ts";
import { type Column, finderOf, ordered, orderOf, turned } from "./order.ts";
import { isOf, talliesOf, type Tally } from "./tallies.ts";

export type View = "waterfall" | "services" | "table";

export const VIEWS: [View, string][] = [["waterfall", "Waterfall"], ["services", "By service"], ["table", "Table"]];

/** What a line of one of the views stands for. */
export type Item = Line | { kind: "tally"; tally: Tally };

export const view = computed<View>(() => {
  const asked = param("view");
  return asked === "services" || asked === "table" ? asked : "waterfall";
});
export const order = computed(() => orderOf(param("order")));
export const find = computed(() => param("find"));

const noNodes: Node[] = [];

/** The self time of each span, by its index. */
export const selves = computed(() => (tree.value?.nodes ?? noNodes).map((node) => selfTime(node, openEnd.value)));

/** The spans that touch the time that is looked at. */
export const touching = computed(() => {
  const nodes = tree.value?.nodes ?? noNodes;
  const range = zoomed.value;
  return range ? nodes.filter((node) => node.start <= range[1] && endOf(node, openEnd.value) >= range[0]) : nodes;
});

/** The service, or the operation of one, that the table is narrowed to. */
export const only = computed<Pick<Tally, "service" | "operation"> | null>(() => {
  // The address names it by one of its spans: names may be as long, and as odd, as they like.
  const [, what, id] = /^(service|operation):(.*)$/s.exec(param("only")) ?? [];
  const node = tree.value?.byId.get(id ?? "");
  return node ? { service: node.span.service, operation: what === "operation" ? node.span.name : null } : null;
});

/** The spans of the table, in its order. */
export const listed = computed(() => {
  const narrowed = only.value;
  const among = narrowed ? touching.value.filter((node) => isOf(node, narrowed)) : touching.value;
  const found = find.value.trim() === "" ? among : among.filter(finderOf(find.value));
  return ordered(found, order.value, selves.value, openEnd.value);
});

export const tallies = computed(() => talliesOf(touching.value, selves.value, openEnd.value));

const folds = signal<{ trace: string; services: ReadonlySet<string> }>({ trace: "", services: new Set() });

/** The services whose operations are not shown. */
export const foldedServices = computed(() => (folds.value.trace === traceId.value ? folds.value.services : new Set<string>()));

export function turnService(service: string, isOpen = foldedServices.peek().has(service)): void {
  const services = new Set(foldedServices.peek());
  if (isOpen) services.delete(service);
  else services.add(service);
  folds.value = { trace: traceId.peek(), services };
}

/** The lines of By service: each service with its operations below it. */
export const tallyLines = computed<Tally[]>(() =>
  tallies.value.flatMap((whole) => [whole, ...(foldedServices.value.has(whole.service) ? [] : whole.operations)]));

/** The lines of the view that is shown. */
export const items = computed<Item[]>(() => {
  if (view.value === "table") return listed.value.map((node) => ({ kind: "span", node }));
  return view.value === "services" ? tallyLines.value.map((tally) => ({ kind: "tally", tally })) : lines.value;
});

export function keyOfItem(item: Item): string {
  return item.kind === "tally" ? item.tally.key : keyOf(item);
}

export function showView(next: View): void {
  setParams({ view: next === "waterfall" ? "" : next }, true);
}

/** Show the next view, or the one before. */
export function turnView(step: 1 | -1): void {
  const at = VIEWS.findIndex(([name]) => name === view.peek());
  showView(VIEWS[(at + step + VIEWS.length) % VIEWS.length]?.[0] ?? "waterfall");
}

/** List the spans of a service or of one operation in the table. */
export function openTally({ first, operation }: Pick<Tally, "first" | "operation">): void {
  setParams({ view: "table", only: `${operation === null ? "service" : "operation"}:${first.span.span_id}`, find: "" }, true);
}

/** Take one step of narrowing back: the operation before the service. */
export function widen(toService: boolean): void {
  setParams({ only: toService ? param("only").replace(/^operation:/, "service:") : "" }, true);
}

/** List every span. */
export function listAll(): void {
  zoomed.value = null;
  setParams({ only: "", find: "" }, true);
}

export function seekFor(text: string): void {
  setParams({ find: text });
  wanted.value = 0;
}

export function turnOrder(column: Column): void {
  setParams({ order: turned(order.peek(), column) });
  wanted.value = Math.max(0, items.peek().findIndex((item) => keyOfItem(item) === cursor.peek()));
}
