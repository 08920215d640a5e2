/* Round numbers for an axis, and how a figure is written on it. */

const STEPS = [1, 2, 2.5, 5, 10];

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
}

/** A scale from zero, or from below it, to a round number above the largest value. */
export function scaleOf(values: number[], tickCount: number): Scale {
  let low = 0;
  let high = 0;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (high === low) high = low + 1;
  const rough = (high - low) / Math.max(1, tickCount);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { low: first * step, high: last * step, ticks };
}

const plain = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

/** A figure with at most six digits that count. */
export function figureText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-6)) return value.toExponential(3);
  return Number.isInteger(value) ? value.toLocaleString("en-US") : plain.format(value);
}

/** A figure for an axis: 1.5K, 20M. */
export function axisText(value: number): string {
  return Math.abs(value) < 10_000 ? figureText(value) : short.format(value);
}
