/* What a page of traces asks about, and what a brush over its heat map adds to the search.

     address -> [search] -> heat map, list, service map */

import { computed } from "@preact/signals";

import { from, param, query, to } from "../address/address.ts";
import type { Of, Scope } from "../api/traces.ts";
import { drop } from "../search/edit.ts";
import { parse, type Term } from "../search/parser.ts";
import { boundText } from "./figures.ts";

/** The group of X-Ray's that the pages are narrowed to; "" for none. */
export const group = computed(() => param("group"));

export const scope = computed<Scope>(() => ({
  q: query.value, from: from.value, to: to.value, group: group.value,
}));

const NS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
const BOUND = /^([\d.]+(?:e\d+)?)([a-zµ]+)$/i;

function termsOf(q: string): Term[] {
  try {
    return parse(q).terms;
  } catch {
    return [];
  }
}

function isBound(term: Term): boolean {
  return term.field === "duration" && !term.negated && /[<>]/.test(term.operator);
}

function isRoot(term: Term): boolean {
  return term.field === "root" && !term.negated && term.values[0] === "true";
}

function nsOf(term: Term): number {
  const [, number, unit] = BOUND.exec(term.values[0] ?? "") ?? [];
  return Number(number) * (NS[unit ?? ""] ?? NaN);
}

/** The durations that the search asks for, in nanoseconds; null where it does not. */
export function boundsOf(q: string): [number, number] | null {
  const bounds: [number, number] = [0, Infinity];
  const terms = termsOf(q).filter(isBound);
  for (const term of terms) {
    const ns = nsOf(term);
    if (Number.isNaN(ns)) return null;
    if (term.operator.startsWith(">")) bounds[0] = Math.max(bounds[0], ns);
    else bounds[1] = Math.min(bounds[1], ns);
  }
  return terms.length > 0 ? bounds : null;
}

/** The search without what a brush adds, so that the heat map shows what surrounds it. */
export function withoutBounds(q: string): string {
  let text = q;
  // Each drop moves what stands behind it, so the terms are found anew.
  for (let next = termsOf(text).find(isBound); next; next = termsOf(text).find(isBound)) text = drop(text, next);
  return text;
}

/** The search with durations from `low` to less than `high`; of traces it is the root that took so long. */
export function withBounds(q: string, [low, high]: [number, number], of: Of): string {
  const parts = [withoutBounds(q)];
  if (of === "traces" && !termsOf(q).some(isRoot)) parts.push("root:true");
  if (low > 1) parts.push(`duration>=${boundText(low)}`);
  if (Number.isFinite(high)) parts.push(`duration<${boundText(high)}`);
  return parts.filter((part) => part !== "").join(" ");
}

/** Whether the heat map counts whole traces or the spans that match. */
export const counted = computed<Of>(() => {
  const asked = param("of");
  if (asked === "traces" || asked === "spans") return asked;
  return termsOf(withoutBounds(query.value)).every(isRoot) ? "traces" : "spans";
});
