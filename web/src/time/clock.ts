/* Writes times of day in the zone that the reader chose; nanoseconds stay strings. */

import { zone } from "../address/address.ts";
import { preferences } from "../app/preferences.ts";

export interface Parts {
  date: string;
  minute: string;
  second: string;
  milli: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

export function zoneInForce(): string {
  return zone.value || preferences.value.zone;
}

function partsElsewhere(ms: number, name: string): [string, string, string] {
  let format = formats.get(name);
  if (!format) {
    const options = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
      minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
    try {
      format = new Intl.DateTimeFormat("en-CA", { ...options, timeZone: name });
    } catch {
      format = new Intl.DateTimeFormat("en-CA", options);
    }
    formats.set(name, format);
  }
  const found = new Map(format.formatToParts(ms).map((part) => [part.type, part.value]));
  return [
    `${found.get("year")}-${found.get("month")}-${found.get("day")}`,
    `${found.get("hour")}:${found.get("minute")}`,
    found.get("second") ?? "00",
  ];
}

/** Date, hour and minute, second and millisecond of a moment, in the zone in force. */
export function partsOf(ms: number, name = zoneInForce()): Parts {
  const milli = String(((ms % 1000) + 1000) % 1000).padStart(3, "0").slice(0, 3);
  if (!Number.isFinite(ms)) return { date: "", minute: "--:--", second: "--", milli: "---" };
  const at = new Date(ms);
  if (name === "utc" || name === "UTC") {
    const iso = at.toISOString();
    return { date: iso.slice(0, -14), minute: iso.slice(-13, -8), second: iso.slice(-7, -5), milli };
  }
  if (name !== "" && name !== "local") {
    const [date, minute, second] = partsElsewhere(ms, name);
    return { date, minute, second, milli };
  }
  return {
    date: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    minute: `${two(at.getHours())}:${two(at.getMinutes())}`,
    second: two(at.getSeconds()),
    milli,
  };
}

/** "03:12:07" of a moment. */
export function clockText(ms: number): string {
  const parts = partsOf(ms);
  return `${parts.minute}:${parts.second}`;
}

/** Milliseconds of a nanosecond string; the rest of it is only ever shown, never counted with. */
export function millisOf(ts: string): number {
  return Number(ts.length > 6 ? ts.slice(0, -6) : "0");
}

/** The six digits below the millisecond, in two groups: "906 113". */
export function nanoTail(ts: string): string {
  const tail = ts.slice(-6).padStart(6, "0");
  return `${tail.slice(0, 3)} ${tail.slice(3)}`;
}

/** Date and time with nanoseconds, for titles. */
export function fullTime(ts: string): string {
  const parts = partsOf(millisOf(ts));
  return `${parts.date} ${parts.minute}:${parts.second}.${parts.milli} ${nanoTail(ts)}`;
}
