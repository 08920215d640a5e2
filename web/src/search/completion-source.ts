/* What may follow where the caret stands: a field, an operator, a value with its count, or a
   search of before. Values are counted by the server among the records that the rest matches. */

import { askSuggestions } from "../api/client.ts";
import { from, path, to } from "../address/address.ts";
import { preferences } from "../app/preferences.ts";
import type { Suggestion } from "../api/types.ts";
import { quote } from "./edit.ts";

export interface Option {
  kind: "field" | "operator" | "value" | "recent";
  text: string;
  /** What stands in the search bar once it is taken. */
  result: string;
  caret: number;
  count: number | null;
  hint: string;
}

interface Spot {
  negation: string;
  field: string;
  operator: string;
  prefix: string;
  /** Where the part that an option replaces begins. */
  start: number;
  termStart: number;
}

const OPERATORS: [string, string][] = [
  [":", "is, or has the word"], ["=", "is exactly"], ["!=", "is not"],
  [">=", "at least"], ["<=", "at most"], [">", "more than"], ["<", "less than"],
];
const STORE_FIELDS = ["level", "service", "logger", "message", "trace", "span", "has"];
const SPAN_FIELDS = ["service", "name", "kind", "status", "duration", "error", "root", "peer", "pending", "trace", "span", "has"];
const SPOT = /(-?)([\p{L}_][\p{L}\p{N}_.-]*)?(?:(!=|>=|<=|:|=|>|<)([^\s()]*))?$/u;
const OPTIONS_MAX = 10;

export function spotAt(text: string, caret: number): Spot {
  const before = text.slice(0, caret);
  const match = SPOT.exec(before);
  const [whole = "", negation = "", name = "", operator = "", rest = ""] = match ?? [];
  const termStart = caret - whole.length;
  if (operator === "") {
    return { negation, field: "", operator, prefix: name, start: caret - name.length, termStart };
  }
  const last = rest.slice(rest.lastIndexOf(",") + 1);
  const prefix = last.replace(/^"/, "");
  return { negation, field: name, operator, prefix, start: caret - last.length, termStart };
}

function taken(text: string, caret: number, start: number, insert: string): Pick<Option, "result" | "caret"> {
  const end = caret + (/^[^\s()",|]*/u.exec(text.slice(caret))?.[0].length ?? 0);
  return { result: text.slice(0, start) + insert + text.slice(end), caret: start + insert.length };
}

/* On the pages of traces a search is about spans, which have fields of their own. */
function isOfSpans(): boolean {
  return path.peek() === "/map" || path.peek().startsWith("/traces");
}

function operatorOptions(text: string, caret: number, spot: Spot): Option[] {
  // A duration has an order and no other operator.
  const isOrdered = isOfSpans() && spot.prefix === "duration";
  return OPERATORS.filter(([operator]) => !isOrdered || /[<>]/.test(operator)).map(([operator, hint]) => ({
    kind: "operator", text: spot.prefix + operator, hint, count: null,
    ...taken(text, caret, caret, operator),
  }));
}

function fieldOptions(text: string, caret: number, spot: Spot, found: Suggestion[]): Option[] {
  const counts = new Map(found.map((one) => [String(one.value), one.count]));
  const names = [...new Set([...(isOfSpans() ? SPAN_FIELDS : STORE_FIELDS), ...counts.keys()])];
  const prefix = spot.prefix.toLowerCase();
  return names.filter((name) => name.toLowerCase().startsWith(prefix)).slice(0, OPTIONS_MAX)
    .map((name) => ({
      kind: "field", text: name, hint: "", count: counts.get(name) ?? null,
      ...taken(text, caret, spot.start, name),
    }));
}

function valueOptions(text: string, caret: number, spot: Spot, found: Suggestion[]): Option[] {
  return found.slice(0, OPTIONS_MAX).map(({ value, count }) => ({
    kind: "value", text: String(value), hint: "", count: count > 0 ? count : null,
    ...taken(text, caret, spot.start, `${quote(String(value))} `),
  }));
}

export function recentOptions(text: string): Option[] {
  const typed = text.trim().toLowerCase();
  return preferences.peek().recent
    .filter((one) => one !== text.trim() && one.toLowerCase().includes(typed)).slice(0, 4)
    .map((one) => ({ kind: "recent", text: one, result: one, caret: one.length, count: null, hint: "" }));
}

/** All options for a caret, in the order field, operator, value, recent. */
export async function optionsAt(text: string, caret: number, signal: AbortSignal): Promise<Option[]> {
  const spot = spotAt(text, caret);
  const range = { from: from.peek(), to: to.peek() };
  if (spot.operator !== "") {
    const rest = `${text.slice(0, spot.termStart)} ${text.slice(caret)}`.trim();
    const asked = { field: spot.field, prefix: spot.prefix, ...range };
    const found = await askSuggestions({ ...asked, q: rest }, signal, isOfSpans())
      .catch(() => askSuggestions(asked, signal, isOfSpans())).catch(() => []);
    return [...valueOptions(text, caret, spot, found), ...recentOptions(text)];
  }
  const found = await askSuggestions({ prefix: spot.prefix, ...range }, signal, isOfSpans()).catch(() => []);
  const fields = fieldOptions(text, caret, spot, found);
  const isWhole = fields.some((option) => option.text === spot.prefix);
  const operators = isWhole && spot.prefix !== "" ? operatorOptions(text, caret, spot) : [];
  const longer = fields.filter((option) => option.text !== spot.prefix);
  return [...operators, ...longer, ...recentOptions(text)];
}
