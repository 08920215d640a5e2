/* Round moments of a trace for its axis, and where a moment lies. */

export const PAD_PX = 12;

export function xOf(at: number, [start, end]: [number, number], width: number): number {
  return PAD_PX + ((at - start) / Math.max(1, end - start)) * Math.max(1, width - 2 * PAD_PX);
}

export function timeAt(x: number, [start, end]: [number, number], width: number): number {
  return start + ((x - PAD_PX) / Math.max(1, width - 2 * PAD_PX)) * (end - start);
}

const MINUTE_NS = 60e9;
const LONG_NS = [10e9, 20e9, 30e9, 1, 2, 5, 10, 20, 30, 60, 120, 300, 720, 1440, 2880, 10_080, 43_200].map((one) => (one < 1e9 ? one * MINUTE_NS : one));

/** Round steps, at least `apart` pixels from each other: 1, 2 or 5 times a power of ten, or minutes. */
export function ticksOf([start, end]: [number, number], width: number, apart: number): number[] {
  const span = Math.max(1, end - start);
  const rough = (span * apart) / Math.max(1, width - 2 * PAD_PX);
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const round = Math.max(1, ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power);
  const step = end > 2 * MINUTE_NS && rough > 1e9 ? (LONG_NS.find((one) => one >= rough) ?? round) : round;
  const ticks: number[] = [];
  for (let at = Math.ceil(start / step) * step; at <= end && ticks.length < 60; at += step) ticks.push(at);
  return ticks;
}
