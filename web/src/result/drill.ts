/* From a row of an aggregate back to the records that it counted.

     row -> [drill] -> query and range -> run

   Invariant: where it is not sure which records these are, it offers nothing. */

import type { Cell, Result } from "../api/insights.ts";
import { fieldText } from "../editor/names.ts";
import { tokensOf, type Vocabulary } from "../editor/tokens.ts";
import { timeOf } from "./cells.ts";

export interface Drill {
  query: string;
  /** The bin's edges in milliseconds; null where the rows are of the whole range. */
  range: [number, number] | null;
}

const BIN = /^bin\((\d+)\s*(ms|s|m|h|d)\)$/;
const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHOWN = "fields @timestamp, level, service, message";
/* After one of these a row's values are no longer those of its records. */
const KEEPING = new Set(["sort", "limit", "head", "tail", "filter", "where"]);

interface Cut {
  before: string;
  stats: string;
}

/* The query up to its one stats, and the text of that; null where more happens to the records. */
function cutAt(query: string, words: Vocabulary): Cut | null {
  const tokens = tokensOf(query, words).filter((one) => one.kind === "command" || one.kind === "pipe");
  const nameOf = (i: number) => query.slice(tokens[i]?.start, tokens[i]?.end).toLowerCase();
  const at = tokens.findIndex((_, i) => nameOf(i) === "stats");
  const start = tokens[at];
  if (!start) return null;
  const others = tokens.flatMap((one, i) => (one.kind === "command" && i !== at ? [[nameOf(i), i] as const] : []));
  const isPlain = others.every(([name, i]) => (i > at ? KEEPING.has(name) : !["join", "unnest", "expand", "pattern", "source"].includes(name)));
  const end = tokens.find((one, i) => i > at && one.kind === "pipe")?.start ?? query.length;
  return isPlain ? { before: query.slice(0, start.start).replace(/\|\s*$/, "").trim(), stats: query.slice(start.end, end) } : null;
}

function literalOf(cell: Cell): string {
  if (typeof cell === "number") return String(cell);
  return `"${String(cell).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
}

/* A group's column is called like its field, unless `as` gave it another name. */
function isField(name: string, stats: string): boolean {
  const by = /\bby\b([^]*)$/i.exec(stats)?.[1] ?? "";
  const parts = by.split(",").map((part) => part.trim());
  return parts.includes(name) || parts.includes(fieldText(name));
}

/** The query for the records behind a row; null where that is not certain. */
export function drillOf(query: string, result: Result, row: Cell[], words: Vocabulary): Drill | null {
  const cut = cutAt(query, words);
  if (!cut) return null;
  const conditions: string[] = [];
  let range: Drill["range"] = null;
  for (const [i, column] of result.columns.entries()) {
    const cell = row[i] ?? null;
    const bin = BIN.exec(column.name);
    if (bin && column.type === "time") {
      const start = timeOf(cell);
      if (Number.isNaN(start)) return null;
      range = [start, start + Number(bin[1]) * (UNITS_MS[bin[2] ?? ""] ?? NaN)];
    } else if (isField(column.name, cut.stats)) {
      const field = fieldText(column.name);
      conditions.push(cell === null ? `not ispresent(${field})` : `${field} = ${literalOf(cell)}`);
    } else if (column.type === "time" || (column.type === "text" && cell !== null)) return null;
  }
  if (conditions.length === 0 && !range) return null;
  const filter = conditions.length > 0 ? [`filter ${conditions.join(" and ")}`] : [];
  return { query: [...(cut.before ? [cut.before] : []), ...filter, SHOWN].join("\n| "), range };
}
