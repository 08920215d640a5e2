/* Adds, turns and removes one field's value in a search text: what + and − do.

     facet, JSON tree, key f or x -> [edit] -> search text -> address */

import { parse, type Term } from "./parser.ts";

export type Choice = "only" | "not" | "none";

const BARE_VALUE = /^[^\s()",|*]+$/u;

/** The text of a value as the grammar wants it: bare when possible, else quoted. */
export function quote(value: string): string {
  if (BARE_VALUE.test(value)) return value;
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

function isSame(term: Term, field: string): boolean {
  return term.field === field && (term.operator === ":" || term.operator === "=");
}

function holds(term: Term, value: string): boolean {
  return term.values.some((one) => one.toLowerCase() === value.toLowerCase());
}

/** Whether a field's value is chosen, excluded or neither in this search text. */
export function choiceOf(text: string, field: string, value: string): Choice {
  try {
    const term = parse(text).terms.find((one) => isSame(one, field) && holds(one, value));
    if (!term) return "none";
    return term.negated ? "not" : "only";
  } catch {
    return "none";
  }
}

function withoutValue(text: string, term: Term, value: string): string {
  const rest = term.values.filter((one) => one.toLowerCase() !== value.toLowerCase());
  const kept = rest.length > 0 ? write(term.field, rest, term.negated) : "";
  return joined(text.slice(0, term.start), kept, text.slice(term.end));
}

function write(field: string, values: string[], negated: boolean): string {
  return `${negated ? "-" : ""}${field}:${values.map(quote).join(",")}`;
}

function joined(...parts: string[]): string {
  return parts.map((part) => part.trim()).filter((part) => part !== "").join(" ");
}

/** The search text after + ("only") or − ("not") on a value; a second time takes it back. */
export function choose(text: string, field: string, value: string, choice: "only" | "not"): string {
  const parsed = parse(text);
  const present = parsed.terms.find((term) => isSame(term, field) && holds(term, value));
  if (present) {
    const rest = withoutValue(text, present, value);
    if ((present.negated ? "not" : "only") === choice) return rest;
    return choose(rest, field, value, choice);
  }
  const negated = choice === "not";
  const alike = parsed.terms.find((term) => isSame(term, field) && term.negated === negated);
  if (alike) {
    const wider = write(field, [...alike.values, value], negated);
    return joined(text.slice(0, alike.start), wider, text.slice(alike.end));
  }
  const base = parsed.isAlternative ? `(${text.trim()})` : text;
  return joined(base, write(field, [value], negated));
}

/** The text without one of its terms. */
export function drop(text: string, term: Term): string {
  return joined(text.slice(0, term.start), text.slice(term.end));
}
