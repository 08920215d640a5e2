/* Everything that can be done by name or by key, in one table. */

import { go, isDescending, selected, setParams, view } from "../address/address.ts";
import { close, opened, recordJson } from "../panel/Panel.tsx";
import { openTraceOf } from "../traces/places.ts";
import type { Row } from "../api/types.ts";
import { copy, say } from "../parts/clipboard.ts";
import { levelLook } from "../parts/level.ts";
import { loadEnd, loadStart, ring } from "../records/feed.ts";
import { isGap, type Item } from "../records/ring.ts";
import { toggleSort } from "../records/RecordTable.tsx";
import { cursor, moveBy, moveTo, moveToNext, openRow } from "../records/viewport.ts";
import { chooseValue, showTrace } from "../search/apply.ts";
import { toggleLive } from "./LivePill.tsx";
import type { Command } from "./page-commands.ts";
import { toggleTheme } from "./preferences.ts";
import { shiftWindow, zoom } from "./TimePicker.tsx";
import { copyLink } from "./TopBar.tsx";

/* The value that f and x speak of: under the pointer, or holding the focus. */
let pointed: Element | null = null;
document.addEventListener("pointerover", (event) => {
  pointed = (event.target as Element).closest?.("[data-field]") ?? null;
});

/** Keep only, or leave out, what has the pointed value. */
export function choosePointed(choice: "only" | "not"): void {
  const element = document.activeElement?.closest("[data-field]") ?? pointed;
  const field = element?.getAttribute("data-field");
  if (!element || !field) say("point at a value first");
  else chooseValue(field, element.getAttribute("data-value") ?? "", choice);
}

function atLeast(number: number, below: number) {
  return (item: Item) => {
    const at = isGap(item) ? 0 : levelLook(item.level).number;
    return at >= number && at < below;
  };
}

function seek(step: 1 | -1, number: number, below: number, what: string): void {
  if (!moveToNext(step, atLeast(number, below))) say(`no ${step > 0 ? "later" : "earlier"} ${what} held`);
}

function here(): Item | undefined {
  return ring.items[ring.indexOf(cursor.peek() || selected.peek())];
}

function withTrace(act: (record: Row) => void): void {
  const item = opened.peek() ?? here();
  if (item && !isGap(item) && item.trace_id) act(item);
  else say("this record has no trace");
}

function copyHere(): void {
  const item = opened.peek() ?? here();
  if (item && !isGap(item)) void copy(recordJson(item), "JSON");
}

async function goFirst(): Promise<void> {
  setParams({ live: "0" });
  if (!isDescending.peek()) await loadStart();
  else await loadEnd();
  requestAnimationFrame(() => moveTo(0));
}

async function goLast(): Promise<void> {
  if (isDescending.peek()) await loadStart();
  else await loadEnd();
  requestAnimationFrame(() => moveTo(ring.items.length - 1));
}

function openHere(): void {
  const item = here();
  if (item && !isGap(item)) openRow(item.id);
}

function focusSearch(): void {
  const input = document.querySelector<HTMLInputElement>("#search");
  input?.focus();
  input?.select();
}

export const commands: Command[] = [
  { key: "/", name: "Search", run: focusSearch },
  { key: " ", name: "Follow or pause", run: toggleLive },
  { key: "j", name: "Next record", run: () => moveBy(1) },
  { key: "k", name: "Previous record", run: () => moveBy(-1) },
  { key: "Enter", name: "Open the record", run: openHere },
  { key: "Escape", name: "Close the record", run: close },
  { key: "g", name: "First record", run: () => void goFirst() },
  { key: "G", name: "Last record", run: () => void goLast() },
  { key: "e", name: "Next error", run: () => seek(1, 40, 99, "error") },
  { key: "E", name: "Previous error", run: () => seek(-1, 40, 99, "error") },
  { key: "w", name: "Next warning", run: () => seek(1, 30, 40, "warning") },
  { key: "W", name: "Previous warning", run: () => seek(-1, 30, 40, "warning") },
  { key: "t", name: "Open its trace", run: () => withTrace(openTraceOf) },
  { key: "", name: "All records of its trace", run: () => withTrace((record) => showTrace(record.trace_id)) },
  { key: "f", name: "Only this value", run: () => choosePointed("only") },
  { key: "x", name: "Not this value", run: () => choosePointed("not") },
  { key: "[", name: "Earlier", run: () => shiftWindow(-1) },
  { key: "]", name: "Later", run: () => shiftWindow(1) },
  { key: "-", name: "Zoom out", run: () => zoom(2) },
  { key: "+", name: "Zoom in", run: () => zoom(0.5) },
  { key: "y", name: "Copy link", run: copyLink },
  { key: "c", name: "Copy the record as JSON", run: copyHere },
  { key: "d", name: "Day or night", run: toggleTheme },
  { key: "", name: "List or JSON", run: () => setParams({ view: view.peek() === "json" ? "" : "json" }, true) },
  { key: "", name: "Turn the order around", run: toggleSort },
  { key: "g l", name: "Go to Logs", run: () => go("/logs?live=1") },
  { key: "g t", name: "Go to Traces", run: () => go("/traces") },
  { key: "g m", name: "Go to Map", run: () => go("/map") },
  { key: "g q", name: "Go to Query", run: () => go("/query") },
  { key: "", name: "Go to Sampling", run: () => go("/sampling") },
  { key: "", name: "Go to Health", run: () => go("/system") },
  { key: "", name: "Go to Settings", run: () => go("/settings") },
  { key: "", name: "Go to Start", run: () => go("/welcome") },
];
