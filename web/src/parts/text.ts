/* Makes foreign text safe to look at: what would hide, turn or repaint is shown as an escape.

   Nothing here makes markup safe, for nothing here ever becomes markup: text goes into text nodes. */

const ROW_TEXT_MAX = 2000;
/* Controls but tab and newline, bidirectional marks and overrides, zero-width, line separators. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SHORT: Record<string, string> = { "\u0000": "\\0", "\u001b": "\\e", "\r": "\\r", "\u0008": "\\b" };

function escapeOne(char: string): string {
  const known = SHORT[char];
  if (known) return known;
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Text with everything invisible made visible; tabs and newlines stay. */
export function visible(text: string): string {
  return text.replace(HIDDEN, escapeOne);
}

/** One line of at most two kilobytes, for a row. */
export function oneLine(text: string, max = ROW_TEXT_MAX): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return visible(cut).replaceAll("\n", "⏎").replaceAll("\t", "→");
}

/** A value as a row shows it: text as it is, everything else as JSON. */
export function valueText(value: unknown, max = ROW_TEXT_MAX): string {
  if (typeof value === "string") return oneLine(value, max);
  return oneLine(JSON.stringify(value) ?? "null", max);
}

/** An id cut in its middle: "5b8efff7…8c2d". */
export function shortId(id: string): string {
  const shown = oneLine(id, 128);
  return shown.length > 16 ? `${shown.slice(0, 8)}…${shown.slice(-4)}` : shown;
}

const counts = new Intl.NumberFormat("en-US");

/** A count with thousands parted by commas. */
export function countText(count: number): string {
  return counts.format(count);
}

/** A size in the best unit, as number and unit. */
export function sizeParts(bytes: number): [string, string] {
  let size = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (size < 1000) return [size >= 100 || unit === "B" ? size.toFixed(0) : size.toPrecision(3), unit];
    size /= 1000;
  }
  return [size.toPrecision(3), "TB"];
}

/** The slot, 1 to 8, of a name's colour; the same name has the same colour everywhere. */
export function seriesOf(name: string): number {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return ((hash >>> 0) % 8) + 1;
}
