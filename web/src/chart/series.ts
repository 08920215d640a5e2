/* Makes a result drawable: which columns are time, group and figure, and lines or bars of them.

     result -> [series] -> time chart, bar chart, legend

   Invariant: a bin that a group has no row for stays empty; it is never drawn as zero. */

import type { Cell, Column, Result } from "../api/insights.ts";
import { LEVELS, levelLook } from "../parts/level.ts";
import { seriesOf } from "../parts/text.ts";
import { cellText, timeOf } from "../result/cells.ts";

export interface Series {
  name: string;
  /** Class of its colour. */
  look: string;
  values: (number | null)[];
}

export interface TimeData {
  times_ms: number[];
  step_ms: number;
  series: Series[];
  /** Groups that are not drawn because there are too many. */
  left: number;
}

export interface Bar {
  name: string;
  value: number;
  look: string;
}

export const SERIES_MAX = 12;
export const BARS_MAX = 40;

export interface Roles {
  time: number;
  groups: number[];
  figures: number[];
}

/** What each column of an aggregate is; null when the rows are single records. */
export function rolesOf(result: Result): Roles | null {
  if (result.rows.length === 0 || result.record_ids.some((id) => id !== null)) return null;
  const indices = (type: Column["type"]) => result.columns.flatMap((column, i) => (column.type === type ? [i] : []));
  const figures = indices("number");
  return figures.length === 0 ? null : { time: indices("time")[0] ?? -1, groups: indices("text"), figures };
}

function groupName(row: Cell[], roles: Roles): string {
  return roles.groups.map((i) => cellText(row[i] ?? null) || "–").join(", ");
}

/* A level has its own colour, as in the band. Any other name has the same colour everywhere, unless
   another series here has taken it. */
function looksOf(names: string[]): string[] {
  const taken = new Set<number>();
  return names.map((name) => {
    if (name in LEVELS) return `as-level lv-${levelLook(name).look}`;
    let slot = seriesOf(name);
    if (taken.size < 8) while (taken.has(slot)) slot = (slot % 8) + 1;
    taken.add(slot);
    return `series-${slot}`;
  });
}

function stepOf(times: number[]): number {
  let step = Infinity;
  for (let i = 1; i < times.length; i += 1) step = Math.min(step, (times[i] ?? 0) - (times[i - 1] ?? 0));
  return Number.isFinite(step) ? step : 60_000;
}

function weightOf(values: (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + Math.abs(value ?? 0), 0);
}

/** Lines over time: one a group of the chosen figure, or one a figure where nothing is grouped. */
export function timeData(result: Result, roles: Roles, figure: number): TimeData {
  const isTime = (row: Cell[]) => !Number.isNaN(timeOf(row[roles.time]));
  const rows = result.rows.filter(isTime);
  const times = [...new Set(rows.map((row) => timeOf(row[roles.time])))].sort((a, b) => a - b);
  const place = new Map(times.map((time, i) => [time, i]));
  const lines = new Map<string, (number | null)[]>();
  const put = (name: string, row: Cell[], column: number) => {
    const values = lines.get(name) ?? new Array<number | null>(times.length).fill(null);
    const value = row[column];
    values[place.get(timeOf(row[roles.time])) ?? 0] = typeof value === "number" ? value : null;
    lines.set(name, values);
  };
  for (const row of rows) {
    if (roles.groups.length > 0) put(groupName(row, roles), row, figure);
    else for (const column of roles.figures) put(result.columns[column]?.name ?? "", row, column);
  }
  const all = [...lines].sort((a, b) => weightOf(b[1]) - weightOf(a[1]));
  const drawn = roles.groups.length > 0 ? all.slice(0, SERIES_MAX) : [...lines].slice(0, SERIES_MAX);
  const looks = looksOf(drawn.map(([name]) => name));
  const series = drawn.map(([name, values], i) => ({ name, values, look: looks[i] ?? "" }));
  return { times_ms: times, step_ms: stepOf(times), series, left: all.length - drawn.length };
}

/** One bar a row, in the rows' order. */
export function barData(result: Result, rows: Cell[][], roles: Roles, figure: number): Bar[] {
  const labels = roles.time >= 0 ? [roles.time, ...roles.groups] : roles.groups;
  const shown = rows.filter((row) => typeof row[figure] === "number").slice(0, BARS_MAX);
  const names = shown.map((row) => labels.map((i) => cellText(row[i] ?? null) || "–").join(", ") || (result.columns[figure]?.name ?? ""));
  return shown.map((row, i) => ({ name: names[i] ?? "", value: row[figure] as number, look: looksOf([names[i] ?? ""])[0] ?? "" }));
}
