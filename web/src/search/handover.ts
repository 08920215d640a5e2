/* Leads from the search bar to the query page, with everything that is typed on the way.

     search bar -> [handover] -> address -> query page -> editor */

import { from, go, to } from "../address/address.ts";
import { insightsOf } from "./insights.ts";

/* The editor's chunk is fetched in this time, or the keys are the page's again. */
const WAIT_MS = 5000;

let typed = "";
let stop = () => {};

function onKeyDown(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Backspace") typed = typed.slice(0, -1);
  else if (event.key === "Enter") typed += "\n";
  else if (event.key.length === 1) typed += event.key;
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Open the query page with a search that holds a pipe; keys are kept until its editor is there. */
export function handOver(text: string): void {
  stop();
  typed = "";
  document.addEventListener("keydown", onKeyDown, true);
  const timer = setTimeout(() => stop(), WAIT_MS);
  stop = () => {
    clearTimeout(timer);
    document.removeEventListener("keydown", onKeyDown, true);
  };
  const params: Record<string, string> = { query: insightsOf(text) };
  if (from.peek() !== "-15m") params.from = from.peek();
  if (to.peek() !== "now") params.to = to.peek();
  go(`/query?${new URLSearchParams(params).toString()}`);
}

/** What was typed since, once; from here on keys are the editor's. */
export function takeTyped(): string {
  stop();
  const text = typed;
  typed = "";
  return text;
}
