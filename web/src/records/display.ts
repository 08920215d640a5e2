/* What a row shows of its record, worked out once: short, on one line, harmless. */

import type { Row } from "../api/types.ts";
import { type LevelLook, levelLook } from "../parts/level.ts";
import { oneLine, valueText } from "../parts/text.ts";

export interface Display {
  level: LevelLook;
  service: string;
  message: string;
  badge: string;
  attributes: [string, string][];
}

const ATTRIBUTE_MAX = 8;
const VALUE_TEXT_MAX = 80;
/* Where the record was written; the panel shows it, a row has no room for it. */
const ORIGIN = new Set(["module", "funcName", "lineno", "exception", "template", "log.record.template"]);

const known = new WeakMap<Row, Display>();

function badgeOf(row: Row): string {
  const { exception } = row.attrs;
  if (exception && typeof exception === "object" && "type" in exception) {
    return oneLine(String(exception.type), 60);
  }
  const type = row.attrs["exception.type"] ?? row.attrs["error.type"];
  return typeof type === "string" ? oneLine(type, 60) : "";
}

function attributesOf(row: Row): [string, string][] {
  const found: [string, string][] = [];
  for (const key in row.attrs) {
    if (ORIGIN.has(key) || key.startsWith("exception.")) continue;
    found.push([oneLine(key, VALUE_TEXT_MAX), valueText(row.attrs[key], VALUE_TEXT_MAX)]);
    if (found.length === ATTRIBUTE_MAX) break;
  }
  return found;
}

export function displayOf(row: Row): Display {
  let display = known.get(row);
  if (!display) {
    display = {
      level: levelLook(row.level),
      service: oneLine(row.service || row.logger, 80),
      message: oneLine(row.message),
      badge: badgeOf(row),
      attributes: attributesOf(row),
    };
    known.set(row, display);
  }
  return display;
}

/** The record as one line of JSON, cut where a row must end. */
export function jsonLine(row: Row): string {
  const { id: _id, ts, attrs, ...rest } = row;
  const told = Object.fromEntries(Object.entries({ ts, ...rest, ...attrs }).filter(([, v]) => v !== ""));
  return valueText(told);
}

/** A column's value of a row: a store column or an attribute, which may be nested by dots. */
export function columnText(row: Row, name: string): string {
  if (name === "logger" || name === "trace_id" || name === "span_id") return oneLine(row[name], 200);
  if (name in row.attrs) return valueText(row.attrs[name], 200);
  let value: unknown = row.attrs;
  for (const part of name.split(".")) {
    if (value === null || typeof value !== "object") return "";
    value = (value as Record<string, unknown>)[part];
  }
  return value === undefined ? "" : valueText(value, 200);
}
