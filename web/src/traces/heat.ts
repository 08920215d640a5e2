/* The heat map's counts, and where each cell lies.

     address -> [heat] -> band, figures

   Invariant: the figures are those of the window; the cells show what surrounds it, too. */

import { signal } from "@preact/signals";

import { query } from "../address/address.ts";
import { askHeat, type HeatMap } from "../api/traces.ts";
import { lit } from "../band/overview.ts";
import { report, settle } from "../records/problem.ts";
import { surroundings } from "../time/range.ts";
import { boundsOf, counted, scope, withoutBounds } from "./search.ts";

const COLUMNS = 120;
const ROWS_MIN = 6;

export const heat = signal<HeatMap | null>(null);
/** Counts and percentiles of the window alone. */
export const figures = signal<HeatMap | null>(null);
export const isCounting = signal(false);

let abort = new AbortController();

/** Ask for the heat map of the address as it is. */
export async function countHeat(): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal: aborted } = abort;
  const asked = scope.peek();
  const of = counted.peek();
  const window = lit.peek();
  const hasBounds = boundsOf(asked.q) !== null;
  const [from, to] = window ? surroundings(window[0], window[1], Date.now()) : [asked.from, asked.to];
  isCounting.value = true;
  const asked_ms = Date.now();
  try {
    const around = askHeat({ ...asked, q: withoutBounds(asked.q), from, to }, { of, buckets: COLUMNS, per_doubling: 2 }, aborted);
    const within = window || hasBounds ? askHeat(asked, { of, buckets: 1 }, aborted) : around;
    [heat.value, figures.value] = await Promise.all([around, within]);
    settle(asked_ms);
  } catch (error) {
    if (!aborted.aborted) report(error, query.peek());
  } finally {
    if (!aborted.aborted) isCounting.value = false;
  }
}

export interface Frame {
  width: number;
  top: number;
  base: number;
}

export interface Scale {
  low: number;
  rows: number;
  /** Buckets of the answer that one row holds. */
  merged: number;
  per_doubling: number;
}

/** Which durations the rows stand for: what is there, with a row of air, at least six rows. */
export function scaleOf(map: HeatMap, bounds: [number, number] | null, height: number): Scale {
  const { per_doubling } = map;
  const used = map.cells.map((cell) => cell[1]);
  for (const bound of bounds ?? []) {
    if (bound > 0 && Number.isFinite(bound)) used.push(Math.floor(Math.log2(bound) * per_doubling));
  }
  const least = used.length > 0 ? Math.min(...used) : 20 * per_doubling;
  const most = used.length > 0 ? Math.max(...used) : 30 * per_doubling;
  const merged = (most - least + 1) * 3 > height ? 2 : 1;
  const low = Math.floor(least / merged) - 1;
  const rows = Math.max(ROWS_MIN, Math.floor(most / merged) - low + 2);
  return { low, rows, merged, per_doubling };
}

export function durationAt(y: number, scale: Scale, frame: Frame): number {
  const row = scale.low + ((frame.base - y) / (frame.base - frame.top)) * scale.rows;
  return 2 ** ((row * scale.merged) / scale.per_doubling);
}

export function yOf(ns: number, scale: Scale, frame: Frame): number {
  const row = (Math.log2(Math.max(1, ns)) * scale.per_doubling) / scale.merged - scale.low;
  const y = frame.base - (row / scale.rows) * (frame.base - frame.top);
  return Math.max(frame.top, Math.min(frame.base, y));
}

export interface Tile {
  x: number;
  y: number;
  width: number;
  height: number;
  /** 0 to 1: how full beside the fullest. */
  weight: number;
  count: number;
  errors: number;
}

/** The cells as rectangles. */
export function tilesOf(map: HeatMap, scale: Scale, frame: Frame): Tile[] {
  const sums = new Map<string, [number, number, number, number]>();
  for (const [at, bucket, count, errors] of map.cells) {
    const row = Math.floor(bucket / scale.merged) - scale.low;
    const key = `${at} ${row}`;
    const sum = sums.get(key) ?? [at, row, 0, 0];
    sum[2] += count;
    sum[3] += errors;
    sums.set(key, sum);
  }
  const most = Math.max(1, ...[...sums.values()].map((sum) => sum[2]));
  const high = (frame.base - frame.top) / scale.rows;
  const span = Math.max(1, map.to_ms - map.from_ms);
  return [...sums.values()].map(([at, row, count, errors]) => {
    const left = Math.max(0, ((at - map.from_ms) / span) * frame.width);
    const right = Math.min(frame.width, ((at + map.step_ms - map.from_ms) / span) * frame.width);
    return {
      x: left, width: Math.max(2, right - left - (right - left > 4 ? 1 : 0)), y: frame.base - (row + 1) * high,
      height: Math.max(2, high - (high > 4 ? 1 : 0)), weight: Math.log(1 + count) / Math.log(1 + most), count, errors,
    };
  });
}
