/* What a cell shows: text as text, figures with thousands parted, times in the reader's zone. */

import type { Cell, Column } from "../api/insights.ts";
import { figureText } from "../chart/scale.ts";
import { oneLine } from "../parts/text.ts";
import { partsOf } from "../time/clock.ts";

const CELL_TEXT_MAX = 500;

export function cellText(cell: Cell, max = CELL_TEXT_MAX): string {
  return cell === null ? "" : oneLine(String(cell), max);
}

/** Milliseconds of a time as Insights prints it, in UTC; NaN when it is none. */
export function timeOf(cell: Cell | undefined): number {
  if (typeof cell !== "string") return NaN;
  return Date.parse(`${cell.trim().replace(" ", "T")}Z`);
}

/** A time that the server wrote in UTC, in the zone in force. */
export function timeText(cell: Cell): string {
  const ms = timeOf(cell);
  if (Number.isNaN(ms)) return cellText(cell);
  const parts = partsOf(ms);
  return `${parts.date} ${parts.minute}:${parts.second}${parts.milli === "000" ? "" : `.${parts.milli}`}`;
}

/** A cell as its column shows it; the numbers of single records are names as often as amounts. */
export function shownText(cell: Cell, column: Column, isRecord: boolean): string {
  if (column.type === "time") return timeText(cell);
  if (typeof cell === "number" && !isRecord) return figureText(cell);
  return cellText(cell);
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

/** The indices of rows in the order of a column; rows without a value come last. */
export function sortedIndices(rows: Cell[][], column: number, isDescending: boolean): number[] {
  const sign = isDescending ? -1 : 1;
  return rows.map((_, i) => i).sort((i, j) => {
    const a = rows[i]?.[column] ?? null;
    const b = rows[j]?.[column] ?? null;
    if (a === null || b === null) return a === b ? i - j : a === null ? 1 : -1;
    return sign * compare(a, b) || i - j;
  });
}
