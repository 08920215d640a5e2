/* What may follow where the caret stands: commands behind a pipe, else functions, fields, words. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";

import type { FieldShare, Language, Word } from "../api/insights.ts";
import type { Suggestion } from "../api/types.ts";
import { countText, oneLine } from "../parts/text.ts";
import { fieldText } from "./names.ts";
import { tokensOf, type Vocabulary } from "./tokens.ts";

export interface Offer {
  language: Language;
  fields: FieldShare[];
  groups: string[];
  vocabulary: Vocabulary;
  /** The values of a field that begin so, with how many records have each. */
  values: (field: string, prefix: string, signal: AbortSignal) => Promise<Suggestion[]>;
}

const SECTIONS = {
  command: { name: "Commands", rank: 1 },
  field: { name: "Fields", rank: 2 },
  function: { name: "Functions", rank: 3 },
  keyword: { name: "Words", rank: 4 },
  group: { name: "Log groups", rank: 1 },
  value: { name: "Values", rank: 1 },
};

function commandOptions(words: Word[]): Completion[] {
  return words.map(({ name, syntax, summary }) => ({
    label: name, detail: oneLine(syntax, 60), info: summary, type: "command", apply: `${name} `, section: SECTIONS.command,
  }));
}

function functionOptions(words: Word[]): Completion[] {
  return words.map(({ name, syntax, summary, kind }) => ({
    label: name, detail: oneLine(syntax.slice(name.length), 40), info: `${syntax}: ${summary}`,
    type: kind ?? "function", apply: `${name}(`, section: SECTIONS.function,
  }));
}

function fieldOptions(fields: FieldShare[]): Completion[] {
  return fields.map(({ name, share }, i) => ({
    label: oneLine(name, 120), apply: fieldText(name), type: "field", section: SECTIONS.field,
    detail: `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`, boost: Math.max(-50, 50 - i),
  }));
}

function keywordOptions(words: string[]): Completion[] {
  return words.map((name) => ({ label: name, type: "keyword", apply: `${name} `, section: SECTIONS.keyword }));
}

function isBehindPipe(context: CompletionContext, start: number, words: Vocabulary): boolean {
  const before = tokensOf(context.state.doc.sliceString(0, start), words).filter((one) => one.kind !== "comment");
  const last = before.at(-1);
  return !last || last.kind === "pipe";
}

function isInside(context: CompletionContext, words: Vocabulary): boolean {
  const { pos } = context;
  const doc = context.state.doc.toString();
  const token = tokensOf(doc, words).find((one) => one.start < pos && pos < one.end + 1 && one.end >= pos);
  return token?.kind === "comment" || (token?.kind === "text" && pos < token.end);
}

/* A quote that was closed for the writer is taken along. */
function behindQuote(context: CompletionContext): number {
  return context.pos + (context.state.sliceDoc(context.pos, context.pos + 1) === '"' ? 1 : 0);
}

function groupResult(context: CompletionContext, offer: Offer): CompletionResult | null {
  const typed = context.matchBefore(/\bsource\s+(?:"[^"]*",\s*)*"?[^"\s,|]*$/i);
  const name = typed && /"?[^"\s,|]*$/.exec(typed.text)?.[0];
  if (!typed || name === undefined || name === null || typed.text === name) return null;
  const options = offer.groups.filter((group) => group.includes(name.replace('"', ""))).map((group) => ({
    label: `"${group}"`, displayLabel: oneLine(group, 200), type: "group", section: SECTIONS.group,
  }));
  return { from: context.pos - name.length, to: behindQuote(context), options, filter: false };
}

/* Behind `field =` or inside `field in [` its values are offered, whole and in quotes. */
const VALUE_SPOT = /(?:([A-Za-z_][\w.]*)|`([^`]+)`)\s*(?:!?=|\bin\s*\[(?:[^\]|]*,)?)\s*("(?:[^"\n|]*)|'(?:[^'\n|]*)|[^\s"'`,\]()|]*)$/;

function quoted(value: string, isNumber: boolean): string {
  return isNumber ? value : `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

interface ValueSpot {
  field: string;
  typed: string;
}

function valueSpot(context: CompletionContext): ValueSpot | null {
  const line = context.state.doc.lineAt(context.pos);
  const found = VALUE_SPOT.exec(context.state.sliceDoc(line.from, context.pos));
  const field = found?.[1] ?? found?.[2];
  const typed = found?.[3] ?? "";
  return !field || (typed === "" && !context.explicit) ? null : { field, typed };
}

async function valueResult(context: CompletionContext, offer: Offer, { field, typed }: ValueSpot): Promise<CompletionResult | null> {
  const abort = new AbortController();
  context.addEventListener("abort", () => abort.abort());
  const values = await offer.values(field, typed.replace(/^["']/, ""), abort.signal).catch(() => []);
  const options = values.map(({ value, count }, i) => ({
    label: quoted(String(value), typeof (value as unknown) === "number"), displayLabel: oneLine(String(value), 120),
    detail: countText(count), section: SECTIONS.value, boost: -i,
  }));
  return options.length === 0 ? null : { from: context.pos - typed.length, to: behindQuote(context), options, filter: false };
}

/* A word that is written to its end and begins no longer one needs no list. */
function isWhole(word: string, options: Completion[]): boolean {
  const longer = options.filter((option) => option.label.toLowerCase().startsWith(word.toLowerCase()));
  return longer.length === 1 && longer[0]?.label.toLowerCase() === word.toLowerCase();
}

/** The options for a caret, or null where nothing can be offered. */
export function completionsAt(
  context: CompletionContext, offer: Offer,
): CompletionResult | Promise<CompletionResult | null> | null {
  const spot = valueSpot(context);
  if (!spot) return groupResult(context, offer) ?? wordResult(context, offer);
  return valueResult(context, offer, spot).then((found) => found ?? wordResult(context, offer));
}

function wordResult(context: CompletionContext, offer: Offer): CompletionResult | null {
  const { language, fields, vocabulary } = offer;
  const word = context.matchBefore(/[A-Za-z_@][\w@.]*$/);
  const start = word?.from ?? context.pos;
  if ((!word && !context.explicit) || isInside(context, vocabulary)) return null;
  const options = isBehindPipe(context, start, vocabulary) ? commandOptions(language.commands)
    : [...fieldOptions(fields), ...functionOptions(language.functions), ...keywordOptions(language.keywords)];
  return isWhole(word?.text ?? "", options) ? null : { from: start, options, validFor: /^[\w@.]*$/ };
}
