/* The map of the address, and which node is looked at.

     address, server -> [state] -> drawing, table, panel */

import { computed, signal } from "@preact/signals";

import { param, query, setParams } from "../address/address.ts";
import { askMap, type ServiceMap } from "../api/traces.ts";
import { report, settle } from "../records/problem.ts";
import { scope } from "../traces/search.ts";
import { drawnOf, type Graph, graphOf, within } from "./graph.ts";
import { layOut, type Layout } from "./layout.ts";

export const PLATE = { width: 168, height: 56 };
/* More words than that on one drawing are noise; then only those of the chosen node are there. */
export const LABELS_MAX = 24;
const LABEL_PX = 120;

export const map = signal<ServiceMap | null>(null);
export const isReading = signal(false);
export const failure = signal("");
export const layout = signal<{ graph: Graph; layout: Layout } | null>(null);

/** The id of the node whose panel is open. */
export const chosen = computed(() => param("node"));
export const hops = computed(() => (chosen.value === "" ? 0 : Number(param("hops")) || 0));
export const isTable = computed(() => param("view") === "table");

export const graph = computed(() => (map.value ? graphOf(map.value) : null));
/** What is drawn, and how much is not. */
export const part = computed(() => {
  const all = graph.value;
  if (!all) return null;
  const near = hops.value > 0 ? within(all, chosen.value, hops.value) : all;
  return drawnOf(near.nodes.length > 0 ? near : all);
});
/** How many nodes are not drawn. */
export const left = computed(() => part.value?.left ?? 0);
export const length_ms = computed(() => Math.max(1, (map.value?.to_ms ?? 0) - (map.value?.from_ms ?? 0)));

let abort = new AbortController();

export async function readMap(): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  isReading.value = true;
  const asked_ms = Date.now();
  try {
    map.value = await askMap(scope.peek(), aborted);
    settle(asked_ms);
  } catch (error) {
    if (!aborted.aborted) report(error, query.peek());
  } finally {
    if (!aborted.aborted) isReading.value = false;
  }
}

function shapeOf(one: Graph): string {
  return JSON.stringify([one.nodes.map((node) => node.id).sort(), one.edges.map((edge) => [edge.from, edge.to]).sort()]);
}

/** Lay out what is to be drawn; figures alone move nothing. */
export async function place(): Promise<void> {
  const drawn = part.peek()?.drawn;
  if (!drawn) return;
  const before = layout.peek();
  if (before && shapeOf(before.graph) === shapeOf(drawn)) {
    layout.value = { graph: drawn, layout: before.layout };
    return;
  }
  const edges = drawn.edges.map((edge): [string, string] => [edge.from, edge.to]);
  try {
    const found = await layOut({ nodes: drawn.nodes.map((node) => node.id), edges, ...PLATE, label: edges.length <= LABELS_MAX ? LABEL_PX : 0 });
    if (found) layout.value = { graph: drawn, layout: found };
    failure.value = "";
  } catch (error) {
    failure.value = (error as Error).message;
  }
}

export function choose(id: string): void {
  setParams({ node: id, ...(id === "" ? { hops: "" } : {}) }, chosen.peek() === "" && id !== "");
}

/** Move to the nearest node in a direction. */
export function step(dx: number, dy: number): void {
  const places = layout.peek()?.layout.places ?? {};
  const here = places[chosen.peek()];
  const entries = Object.entries(places);
  if (!here) {
    const first = entries.sort(([, a], [, b]) => a[0] - b[0] || a[1] - b[1])[0];
    if (first) choose(first[0]);
    return;
  }
  let best = "";
  let least = Infinity;
  for (const [id, [x, y]] of entries) {
    const along = (x - here[0]) * dx + (y - here[1]) * dy;
    const aside = Math.abs((x - here[0]) * dy) + Math.abs((y - here[1]) * dx);
    if (along > 4 && along + 2 * aside < least) [best, least] = [id, along + 2 * aside];
  }
  if (best !== "") choose(best);
}
