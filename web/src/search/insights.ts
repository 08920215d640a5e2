/* Says a search in the Insights language, for the query page that a pipe leads to.

     search bar -> [insights] -> query page

   Invariant: what cannot be said is written down as a comment; no term is dropped silently. */

import { fieldText } from "../editor/names.ts";
import { LEVELS } from "../parts/level.ts";
import { parse, type Piece, type Term } from "./parser.ts";

const ALIASES: Record<string, string> = { WARN: "WARNING", FATAL: "CRITICAL" };
const OWN_NAMES: Record<string, string> = { trace: "trace_id", span: "span_id" };
const ORDERED = new Set([">", ">=", "<", "<="]);
const NUMBER = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-zµ]*)$/;
const SECONDS: Record<string, number> = { ns: 1e-9, us: 1e-6, "µs": 1e-6, ms: 1e-3, s: 1, m: 60, min: 60, h: 3600, d: 86_400 };
const BYTES: Record<string, number> = {
  b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
};
/* The unit that a field's name ends in; a duration is compared in it. */
const FIELD_SECONDS: Record<string, number> = {
  ns: 1e-9, nanoseconds: 1e-9, us: 1e-6, microseconds: 1e-6, ms: 1e-3, millis: 1e-3, milliseconds: 1e-3,
  min: 60, minutes: 60, h: 3600, hours: 3600,
};

/** Thrown inside for a term that the language has no words for. */
class Inexpressible extends Error {}

function textOf(value: string): string {
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
}

function literalOf(value: string): string {
  return /^-?\d{1,15}(?:\.\d{1,6})?$/.test(value) ? value : textOf(value);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}/]/g, "\\$&");
}

/* Words of the message are whole and in any case of letters, as in the search. */
function wordPattern(value: string, isWild: boolean): string {
  if (isWild) return `/(?i)${value.split(/\*+/).map(escaped).join(".*")}/`;
  const words = value.match(/[\p{L}\p{N}]+/gu);
  if (!words) return `/${escaped(value)}/`;
  // An underscore parts words too, which \b does not know.
  return `/(?i)(^|[\\W_])${words.join("[\\W_]+")}([\\W_]|$)/`;
}

function levelsOf(operator: string, value: string): string[] {
  const name = ALIASES[value.toUpperCase()] ?? value.toUpperCase();
  const bound = LEVELS[name] ?? (/^\d{1,3}$/.test(value) ? Number(value) : NaN);
  if (Number.isNaN(bound)) throw new Inexpressible();
  const fits = (number: number) => {
    if (operator === ">") return number > bound;
    if (operator === ">=") return number >= bound;
    if (operator === "<") return number < bound;
    return operator === "<=" ? number <= bound : number === bound;
  };
  const found = Object.entries(LEVELS).filter(([, number]) => fits(number)).map(([known]) => known);
  if (found.length === 0) throw new Inexpressible();
  return found;
}

function oneOf(field: string, literals: string[]): string {
  return literals.length === 1 ? `${field} = ${literals[0]}` : `${field} in [${literals.join(", ")}]`;
}

function boundOf(field: string, value: string): string {
  const found = NUMBER.exec(value);
  if (!found) throw new Inexpressible();
  const [, digits = "", unit = ""] = found;
  if (unit === "") return digits;
  const size = BYTES[unit.toLowerCase()];
  if (size !== undefined) return String(Number(digits) * size);
  const seconds = SECONDS[unit];
  if (seconds === undefined) throw new Inexpressible();
  const ending = field.toLowerCase().split(/[._-]/).at(-1) ?? "";
  return String(Number((Number(digits) * seconds / (FIELD_SECONDS[ending] ?? 1)).toPrecision(12)));
}

function anyOf(parts: string[]): string {
  return parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(" or ")})`;
}

function equality(term: Term, isWild: (value: string) => boolean): string {
  const name = OWN_NAMES[term.field.toLowerCase()] ?? term.field;
  const field = fieldText(name);
  const isId = name === "trace_id" || name === "span_id";
  const wild = term.values.filter(isWild).map((value) => `${field} like /^${value.split(/\*+/).map(escaped).join(".*")}$/`);
  const plain = term.values.filter((value) => !isWild(value)).map((value) => (isId ? textOf(value.toLowerCase()) : literalOf(value)));
  return anyOf([...(plain.length > 0 ? [oneOf(field, plain)] : []), ...wild]);
}

function termText(term: Term, raw: string): string {
  const isWild = (value: string) => value.includes("*") && !raw.includes('"');
  const { field, operator, values } = term;
  const name = field.toLowerCase();
  if (operator === "word" || operator === "phrase" || (name === "message" && operator === ":")) {
    return anyOf(values.map((value) => `message like ${wordPattern(value, isWild(value))}`));
  }
  if (name === "has") {
    if (values.some(isWild)) throw new Inexpressible();
    return anyOf(values.map((value) => `ispresent(${fieldText(OWN_NAMES[value.toLowerCase()] ?? value)})`));
  }
  if (name === "level") {
    if (values.some(isWild)) throw new Inexpressible();
    return oneOf("level", [...new Set(values.flatMap((value) => levelsOf(operator, value)))].map(textOf));
  }
  if (ORDERED.has(operator)) return anyOf(values.map((value) => `${fieldText(field)} ${operator} ${boundOf(field, value)}`));
  return equality(term, isWild);
}

function pieceText(piece: Piece, text: string): string {
  const raw = text.slice(piece.start, piece.end);
  if (piece.kind === "operator") return raw === "not" ? "" : raw;
  if (piece.kind === "bracket") return raw.length > 1 ? "not (" : raw;
  const { term } = piece;
  if (!term) return "";
  const said = termText(term, raw);
  return term.negated !== (term.operator === "!=") ? `not (${said})` : said;
}

/* Words that stand side by side are joined by "and", which the search leaves out. */
function conditionOf(text: string): string {
  const parts: string[] = [];
  for (const piece of parse(text).pieces) {
    const said = pieceText(piece, text);
    if (said === "") continue;
    const before = parts.at(-1);
    const isOpen = before === undefined || before === "or" || before === "and" || before.endsWith(" (") || before === "(";
    const needsAnd = !isOpen && said !== "or" && said !== "and" && said !== ")";
    if (needsAnd) parts.push("and");
    parts.push(said);
  }
  return parts.join(" ").replaceAll("( ", "(").replaceAll(" )", ")");
}

/** Where the first pipe outside of quotes is; -1 when there is none. */
export function pipeIn(text: string): number {
  let isQuoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (isQuoted && char === "\\") i += 1;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === "|" && !isQuoted) return i;
  }
  return -1;
}

/** The Insights query that a search with a pipe means; it ends where writing goes on. */
export function insightsOf(text: string): string {
  const at = pipeIn(text);
  const search = text.slice(0, at).trim();
  const rest = text.slice(at + 1).trimStart();
  let head = "";
  try {
    const condition = conditionOf(search);
    head = condition === "" ? "" : `filter ${condition}\n|`;
  } catch {
    // What cannot be read as a search or said here stays in sight.
    head = `# not carried over: ${search.replaceAll("\n", " ")}\n`;
  }
  return rest === "" ? head : `${head}${head.endsWith("|") ? " " : ""}${rest}`;
}
