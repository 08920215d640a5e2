/* Puts a search text into the address: the only way by which a search changes. */

import { from, go, path, query, setParams, to } from "../address/address.ts";
import { remember } from "../app/preferences.ts";
import { report } from "../records/problem.ts";
import { choose } from "./edit.ts";
import { parse } from "./parser.ts";

/* The lists that show what a search finds where it is written. */
const LISTS = new Set(["/logs", "/traces", "/map"]);

/** Run a search text; false, with a Note, when it cannot be read. */
export function run(text: string, push = true): boolean {
  try {
    parse(text);
  } catch (error) {
    report(error, text);
    return false;
  }
  if (push) remember(text);
  if (LISTS.has(path.peek())) setParams({ q: text.trim() }, push);
  else if (push) {
    const list = path.peek().startsWith("/traces/") ? "/traces" : "/logs";
    go(`${list}?${new URLSearchParams({ q: text.trim(), from: from.peek(), to: to.peek() }).toString()}`);
  }
  return true;
}

/** What + and − do: keep only, or leave out, the records with this value. */
export function chooseValue(field: string, value: string, choice: "only" | "not"): void {
  try {
    run(choose(query.peek(), field, value, choice));
  } catch (error) {
    report(error, query.peek());
  }
}

/** Look at every record of a trace, whatever else was searched for. */
export function showTrace(traceId: string): void {
  run(`trace:${traceId}`);
}
