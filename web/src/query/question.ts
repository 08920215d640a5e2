/* What is asked, as the address has it: query, log groups, view, order, what the chart shows.

     address <-> [question] <-> editor, pickers, results

   Invariant: an address opened elsewhere shows the same page. */

import { computed, signal } from "@preact/signals";

import { from, param, setParams, to } from "../address/address.ts";
import { quote } from "../search/edit.ts";

export type View = "line" | "bars" | "table";

export interface Order {
  column: string;
  isDescending: boolean;
}

/** The query as it stands in the editor; the address follows a moment later. */
export const draft = signal(param("query"));
/** The query of the address. */
export const asked = computed(() => param("query"));

/* A group's name may hold a comma; in the address a comma parts names. */
function packed(name: string): string {
  return name.replaceAll("%", "%25").replaceAll(",", "%2C");
}

function unpacked(name: string): string {
  return name.replaceAll("%2C", ",").replaceAll("%25", "%");
}

export const groups = computed(() => param("groups").split(",").filter((name) => name !== "").map(unpacked));
export const chosenView = computed(() => param("view"));
/** The column that the chart shows; "" leaves the choice to the page. */
export const measure = computed(() => param("y"));
export const savedId = computed(() => param("saved"));
export const range = computed(() => ({ from: from.value, to: to.value }));
export const order = computed<Order | null>(() => {
  const text = param("sort");
  if (text === "") return null;
  return text.startsWith("-") ? { column: text.slice(1), isDescending: true } : { column: text, isDescending: false };
});

export function chooseGroups(names: string[]): void {
  setParams({ groups: names.map(packed).join(",") }, true);
}

export function chooseView(view: View): void {
  setParams({ view }, true);
}

/* Upwards, downwards, and back to the order in which the server gave the rows. */
export function turnOrder(column: string): void {
  const now = order.peek();
  if (now?.column !== column) setParams({ sort: column });
  else setParams({ sort: now.isDescending ? "" : `-${column}` });
}

/* A group of our own is a service; the search language has no word for the groups of others. */
const OWN_PREFIX = "/clerestory/";

/** The search that the band counts by for these groups; "" counts everything. */
export function scopeOf(names: string[]): string {
  if (names.length === 0 || !names.every((name) => name.startsWith(OWN_PREFIX))) return "";
  return `service:${names.map((name) => quote(name.slice(OWN_PREFIX.length))).join(",")}`;
}

const WRITE_MS = 400;
let timer = 0;

/** Take over what was typed; the address follows without a step for every letter. */
export function write(text: string): void {
  draft.value = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => setParams({ query: text }), WRITE_MS);
}

/** Put the query into the address now; a step that Back takes back when it is another one. */
export function settleAddress(push: boolean): void {
  clearTimeout(timer);
  setParams({ query: draft.peek() }, push);
}

/** Ask something else: another query, and with it groups, name and view of its own. */
export function replace(text: string, other: { groups?: string[]; saved?: string } = {}): void {
  clearTimeout(timer);
  draft.value = text;
  const changes: Record<string, string> = { query: text, saved: other.saved ?? "", sort: "", y: "", view: "", sel: "" };
  if (other.groups) changes.groups = other.groups.map(packed).join(",");
  setParams(changes, true);
}
