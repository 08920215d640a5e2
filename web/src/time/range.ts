/* Turns the two ends of a range, as the address has them, into milliseconds and words. */

const UNITS_MS: Record<string, number> = {
  s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000,
};

/** Milliseconds of one end of a range; NaN when it cannot be read. */
export function resolveEnd(text: string, now_ms: number): number {
  if (text === "now") return now_ms;
  const relative = /^-(\d+(?:\.\d+)?)([smhdw])$/.exec(text);
  if (relative) return now_ms - Number(relative[1]) * (UNITS_MS[relative[2] ?? ""] ?? NaN);
  if (/^\d{9,}$/.test(text)) return Number(text);
  return Date.parse(text);
}

/** A length in at most two parts: "3 m 18 s". */
export function lengthText(length_ms: number): string {
  if (length_ms < 1000) return `${Math.round(length_ms)} ms`;
  let rest = Math.round(length_ms / 1000);
  const parts: string[] = [];
  for (const [unit, seconds] of [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]] as const) {
    const count = Math.floor(rest / seconds);
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    rest -= count * seconds;
  }
  return parts.join(" ") || "0 s";
}

const ROUND_MS = [
  60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 172_800_000, 604_800_000, 2_592_000_000, 7_776_000_000, 31_536_000_000,
];

/** The round range around a window, which the band shows in shade.

    Derived from the window alone, so that the same address shows the same band anywhere. */
export function surroundings(from_ms: number, to_ms: number, now_ms: number): [number, number] {
  const length = Math.max(1, to_ms - from_ms);
  const span = ROUND_MS.find((one) => one >= length * 4) ?? length * 1.25;
  const grid = span / 30;
  const centred = Math.ceil((to_ms + (span - length) / 2) / grid) * grid;
  const end = Math.max(Math.ceil(to_ms / grid) * grid, Math.min(centred, Math.ceil(now_ms / grid) * grid));
  return [end - span, end];
}
