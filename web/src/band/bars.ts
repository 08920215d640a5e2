/* The band's geometry: five classes stacked into one path each, errors standing on the horizon. */

import type { Bucket, Histogram } from "../api/types.ts";

export interface Frame {
  width: number;
  top: number;
  base: number;
}

export interface Bars {
  lit: string[];
  shaded: string[];
}

/* A single error among thousands must still be seen. */
const LOUD_PX_MIN = 2;

function heightsOf(bucket: Bucket, scale: number): number[] {
  return [1, 2, 3, 4, 5].map((i) => {
    const height = (bucket[i] ?? 0) * scale;
    if (height > 0 && height < LOUD_PX_MIN && i <= 3) return LOUD_PX_MIN;
    return height > 0 ? Math.max(1, height) : 0;
  });
}

function largestOf(counts: Histogram): number {
  let largest = 1;
  for (const [, ...classes] of counts.buckets) {
    largest = Math.max(largest, classes.reduce((sum, one) => sum + one, 0));
  }
  return largest;
}

export function xOf(at_ms: number, counts: Histogram, width: number): number {
  return ((at_ms - counts.from_ms) / Math.max(1, counts.to_ms - counts.from_ms)) * width;
}

export function timeAt(x: number, counts: Histogram, width: number): number {
  return counts.from_ms + (x / Math.max(1, width)) * (counts.to_ms - counts.from_ms);
}

/** One path a class, twice: what lies in the window, and what surrounds it. */
export function barsOf(counts: Histogram, frame: Frame, window: [number, number] | null): Bars {
  const bars: Bars = { lit: ["", "", "", "", ""], shaded: ["", "", "", "", ""] };
  // Six pixels of headroom absorb the least heights of loud classes.
  const scale = (frame.base - frame.top - 6) / largestOf(counts);
  for (const bucket of counts.buckets) {
    const left = Math.max(0, xOf(bucket[0], counts, frame.width));
    const right = Math.min(frame.width, xOf(bucket[0] + counts.step_ms, counts, frame.width));
    const middle = bucket[0] + counts.step_ms / 2;
    const isLit = !window || (middle >= window[0] && middle < window[1]);
    const paths = isLit ? bars.lit : bars.shaded;
    const gap = right - left > 4 ? 1 : 0;
    let y = frame.base;
    heightsOf(bucket, scale).forEach((height, i) => {
      if (height === 0 || right - left <= gap) return;
      y -= height;
      const x = (left + gap).toFixed(1);
      paths[i] += `M${x} ${y.toFixed(1)}H${(right - gap).toFixed(1)}v${height.toFixed(1)}H${x}z`;
    });
  }
  return bars;
}

const TICKS_MS = [
  1000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000,
  10_800_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000,
];

/** Round moments for the axis, at least `apart` pixels from each other. */
export function ticksOf(
  counts: Pick<Histogram, "from_ms" | "to_ms">, width: number, apart: number,
): number[] {
  const span = Math.max(1, counts.to_ms - counts.from_ms);
  const step = TICKS_MS.find((one) => (one / span) * width >= apart) ?? span;
  const offset = step >= 3_600_000 ? new Date(counts.from_ms).getTimezoneOffset() * 60_000 : 0;
  const ticks: number[] = [];
  const start = Math.ceil((counts.from_ms - offset) / step) * step + offset;
  for (let at = start; at < counts.to_ms && ticks.length < 40; at += step) ticks.push(at);
  return ticks;
}

/** What a class counts in the window, in the order of the classes. */
export function sumsOf(counts: Histogram): number[] {
  const sums = [0, 0, 0, 0, 0];
  for (const bucket of counts.buckets) {
    for (let i = 0; i < 5; i += 1) sums[i] = (sums[i] ?? 0) + (bucket[i + 1] ?? 0);
  }
  return sums;
}
