/* What the keys do in the views of a trace. */

import { go, setParams } from "../address/address.ts";
import { choosePointed } from "../app/commands.ts";
import type { Command } from "../app/page-commands.ts";
import { copy, say } from "../parts/clipboard.ts";
import { levelLook } from "../parts/level.ts";
import { backToLog, listUrl, openLogs } from "../traces/places.ts";
import { chosen, choose, cursor, logChoice, marked, now, reveal, trace, tree, turn, wanted, withCritical, zoomed, zoomTo } from "./state.ts";
import { closeSpan, spanJson } from "./SpanPanel.tsx";
import { find, type Item, items, keyOfItem, listAll, only, openTally, tallyLines, turnService, turnView, view } from "./tables/view.ts";
import { isOf } from "./tables/tallies.ts";
import { endOf, type Node } from "./tree.ts";

function place(): number {
  return items.peek().findIndex((item) => keyOfItem(item) === cursor.peek());
}

/** Stand on a line; an open panel goes with it. */
export function standOn(index: number): void {
  const all = items.peek();
  const line = all[Math.max(0, Math.min(all.length - 1, index))];
  if (!line) return;
  cursor.value = keyOfItem(line);
  wanted.value = all.indexOf(line);
  if (line.kind === "span" && chosen.peek() !== "") choose(line.node.span.span_id);
}

function moveBy(step: number): void {
  standOn(place() < 0 ? (step > 0 ? 0 : items.peek().length - 1) : place() + step);
}

function here(): Item | undefined {
  return items.peek()[place()];
}

/** The span that is meant: under the cursor, else the one whose panel is open. */
function spanHere(): Node | null {
  const line = here();
  if (line && line.kind !== "tally") return line.node;
  return tree.peek()?.byId.get(chosen.peek()) ?? null;
}

function isFailed(line: Item): boolean {
  if (line.kind === "tally") return line.tally.errors > 0;
  return line.kind === "span" ? line.node.span.status === "error" : levelLook(line.mark.row.level).number >= 40;
}

function seek(step: 1 | -1): void {
  const all = items.peek();
  for (let at = place() + step; at >= 0 && at < all.length; at += step) {
    if (isFailed(all[at] as Item)) return standOn(at);
  }
  say(`no ${step > 0 ? "later" : "earlier"} error`);
}

/* Fold or unfold where one stands; whether that has changed what is shown. */
function fold(line: Item | undefined, isOpen: boolean): boolean {
  const before = items.peek().length;
  if (line?.kind === "tally" && line.tally.operation === null) turnService(line.tally.service, isOpen);
  if (line?.kind === "span" && view.peek() === "waterfall" && line.node.children.length > 0) turn(line.node, isOpen);
  return items.peek().length !== before;
}

function right(): void {
  if (!fold(here(), true)) moveBy(1);
}

/* The line above that holds the one where one stands. */
function holderOf(line: Item): Item | undefined {
  if (view.peek() === "table") return undefined;
  if (line.kind === "tally") return items.peek().find((one) => one.kind === "tally" && one.tally.operation === null && one.tally.service === line.tally.service);
  const above = line.kind === "log" ? line.node : line.node.parent;
  return items.peek().find((one) => one.kind === "span" && one.node === above);
}

function left(): void {
  const line = here();
  if (!line || fold(line, false)) return;
  const holder = holderOf(line);
  if (holder) standOn(items.peek().indexOf(holder));
}

/** Open a record in its list, as it was left if that is where we came from. */
export function openLog(id: string): void {
  const row = trace.peek()?.logs.find((one) => one.id === id);
  if (id === marked.peek()) backToLog(id);
  else if (row) logsOf(tree.peek()?.byId.get(row.span_id) ?? null, id);
}

function logsOf(node: Node | null, sel = ""): void {
  const shown = tree.peek();
  const told = trace.peek();
  if (!shown || !told) return;
  const start_ms = Number(shown.start / 1_000_000n);
  const from = start_ms + (node ? node.start / 1e6 : 0);
  const to = start_ms + (node ? endOf(node, now.peek()) : shown.length) / 1e6;
  openLogs(told.trace_id, node?.span.span_id ?? "", Math.min(from, start_ms), to, sel);
}

/** From where one stands to its log; from the span of the record that led here back to that record. */
export function toLogs(): void {
  const line = here();
  if (line?.kind === "log") return openLog(line.mark.row.id);
  const node = spanHere();
  const cameFrom = trace.peek()?.logs.find((row) => row.id === marked.peek());
  if (marked.peek() !== "" && (!node || !cameFrom || cameFrom.span_id === node.span.span_id || !tree.peek()?.byId.has(cameFrom.span_id))) return backToLog(marked.peek());
  logsOf(node);
}

function enter(): void {
  const line = here();
  if (line?.kind === "log") openLog(line.mark.row.id);
  else if (line?.kind === "tally") openTally(line.tally);
  else if (line) choose(line.node.span.span_id);
}

function escape(): void {
  if (chosen.peek() !== "") closeSpan();
  else if (zoomed.peek()) zoomed.value = null;
  else if (view.peek() === "table" && (only.peek() || find.peek() !== "")) listAll();
  else go(listUrl());
}

/* Zooming lists other spans in a table, and the row goes where it then stands. */
function zoomHere(node: Node): void {
  zoomTo(node);
  if (view.peek() !== "waterfall") requestAnimationFrame(() => { wanted.value = place(); });
}

function withSpan(act: (node: Node) => void): void {
  const node = spanHere();
  if (node) act(node);
  else say("move to a span first (arrows)");
}

/** Bring what the address names into view: the record that led here, or its span. */
export function showNamed(): void {
  const shown = tree.peek();
  if (!shown) return;
  if (view.peek() !== "waterfall") return keepPlace();
  const row = trace.peek()?.logs.find((one) => one.id === marked.peek());
  const node = shown.byId.get(row?.span_id || chosen.peek()) ?? shown.byId.get(chosen.peek());
  if (node) reveal(node);
  if (!row && !node) return;
  cursor.value = row ? `log ${row.id}` : `span ${node?.span.span_id}`;
  wanted.value = place();
}

/** In another view, bring the same span into view: the one under the cursor, else the one that is open. */
export function keepPlace(): void {
  const shown = tree.peek();
  const node = shown?.byId.get(cursor.peek().replace(/^span /, "")) ?? shown?.byId.get(chosen.peek());
  if (!node) return;
  // The last line that counts it: its operation, or its service where that is folded.
  if (view.peek() === "services") cursor.value = tallyLines.peek().filter((tally) => isOf(node, tally)).at(-1)?.key ?? "";
  else cursor.value = `span ${node.span.span_id}`;
  if (view.peek() === "waterfall") reveal(node);
  wanted.value = place();
}

const CHOICES = ["none", "warnings", "all"] as const;

export const COMMANDS: Command[] = [
  { key: "j", name: "Next span", run: () => moveBy(1) },
  { key: "k", name: "Previous span", run: () => moveBy(-1) },
  { key: "ArrowRight", name: "Unfold, or go into the span", run: right },
  { key: "ArrowLeft", name: "Fold, or go to the parent", run: left },
  { key: "g", name: "First span", run: () => standOn(0) },
  { key: "G", name: "Last span", run: () => standOn(items.peek().length - 1) },
  { key: "Enter", name: "Open the span, or list those of the line", run: enter },
  { key: "v", name: "Next view: waterfall, by service, table", run: () => turnView(1) },
  { key: "V", name: "Previous view", run: () => turnView(-1) },
  { key: "Escape", name: "Close the span, show all of it, leave", run: escape },
  { key: "z", name: "Zoom to the span, or back", run: () => withSpan(zoomHere) },
  { key: "-", name: "Show all time", run: () => { zoomed.value = null; } },
  { key: "p", name: "Critical path", run: () => { withCritical.value = !withCritical.peek(); } },
  { key: "e", name: "Next error", run: () => seek(1) },
  { key: "E", name: "Previous error", run: () => seek(-1) },
  { key: "t", name: "To its log", run: toLogs },
  { key: "l", name: "To its log", run: toLogs },
  { key: "f", name: "Traces with only this value", run: () => choosePointed("only") },
  { key: "x", name: "Traces without this value", run: () => choosePointed("not") },
  { key: "c", name: "Copy the span as JSON", run: () => withSpan((node) => void copy(spanJson(node), "JSON")) },
  { key: "", name: "Records between the spans: none, warnings, all", run: () => { logChoice.value = CHOICES[(CHOICES.indexOf(logChoice.peek()) + 1) % 3] ?? "warnings"; } },
  { key: "", name: "Forget the record that led here", run: () => setParams({ log: "" }) },
];
