/* How durations and rates are written: three figures that count, in the best unit. */

import { lengthText } from "../time/range.ts";

const LONG_S = 120;
const UNITS: [number, string][] = [[1, "ns"], [1e3, "µs"], [1e6, "ms"], [1e9, "s"]];

function three(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  if (value >= 100) return value.toFixed(0);
  const text = value >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/\.?0+$/, "");
}

/** A duration as number and unit: ["2.84", "s"]; from two minutes on in two parts: ["3 m 18", "s"]. */
export function durationParts(ns: number): [string, string] {
  const s = ns / 1e9;
  if (s >= LONG_S) {
    const [, number, unit] = /^(.*) (\S+)$/.exec(lengthText(s * 1000)) ?? [];
    return [number ?? "", unit ?? ""];
  }
  let [size, unit] = UNITS[0] as [number, string];
  for (const [least, name] of UNITS) if (ns >= least) [size, unit] = [least, name];
  return [three(ns / size), unit];
}

export function durationText(ns: number): string {
  return durationParts(ns).join(" ");
}

/** A share as per cent, with one digit below ten. */
export function shareText(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent >= 10) return percent.toFixed(0);
  return percent < 0.1 ? "<0.1" : percent.toFixed(1);
}

/** How many a second: "26", "0.4". */
export function rateText(count: number, length_ms: number): string {
  const rate = count / Math.max(0.001, length_ms / 1000);
  if (rate > 0 && rate < 0.01) return "<0.01";
  return three(rate);
}

/** A bound of a duration as the search language writes it. */
export function boundText(ns: number): string {
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "us"]] as const) {
    if (ns >= size) return `${Number((ns / size).toPrecision(4))}${unit}`;
  }
  return `${Math.round(ns)}ns`;
}
