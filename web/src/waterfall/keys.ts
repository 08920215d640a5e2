/* What the keys of the waterfall do. */

import { go, setParams } from "../address/address.ts";
import { choosePointed } from "../app/commands.ts";
import type { Command } from "../app/page-commands.ts";
import { copy, say } from "../parts/clipboard.ts";
import { levelLook } from "../parts/level.ts";
import { backToLog, listUrl, openLogs } from "../traces/places.ts";
import { chosen, choose, cursor, keyOf, lines, logChoice, marked, now, reveal, trace, tree, turn, withCritical, zoomed, zoomTo } from "./state.ts";
import { closeSpan, spanJson } from "./SpanPanel.tsx";
import { endOf, type Line, type Node } from "./tree.ts";
import { wanted } from "./Waterfall.tsx";

function place(): number {
  return lines.peek().findIndex((line) => keyOf(line) === cursor.peek());
}

/** Stand on a line; an open panel goes with it. */
export function standOn(index: number): void {
  const all = lines.peek();
  const line = all[Math.max(0, Math.min(all.length - 1, index))];
  if (!line) return;
  cursor.value = keyOf(line);
  wanted.value = all.indexOf(line);
  if (line.kind === "span" && chosen.peek() !== "") choose(line.node.span.span_id);
}

function moveBy(step: number): void {
  standOn(place() < 0 ? (step > 0 ? 0 : lines.peek().length - 1) : place() + step);
}

function here(): Line | undefined {
  return lines.peek()[place()];
}

/** The span that is meant: under the cursor, else the one whose panel is open. */
function spanHere(): Node | null {
  const line = here();
  if (line) return line.node;
  return tree.peek()?.byId.get(chosen.peek()) ?? null;
}

function isFailed(line: Line): boolean {
  return line.kind === "span" ? line.node.span.status === "error" : levelLook(line.mark.row.level).number >= 40;
}

function seek(step: 1 | -1): void {
  const all = lines.peek();
  for (let at = place() + step; at >= 0 && at < all.length; at += step) {
    if (isFailed(all[at] as Line)) return standOn(at);
  }
  say(`no ${step > 0 ? "later" : "earlier"} error`);
}

function right(): void {
  const line = here();
  if (line?.kind !== "span" || line.node.children.length === 0) return moveBy(1);
  const wasThere = lines.peek().length;
  turn(line.node, true);
  if (lines.peek().length === wasThere) moveBy(1);
}

function left(): void {
  const line = here();
  if (!line) return;
  const isLeaf = line.kind === "log" || line.node.children.length === 0;
  const before = lines.peek().length;
  if (!isLeaf) turn(line.node as Node, false);
  const parent = line.kind === "log" ? line.node : line.node.parent;
  if (lines.peek().length === before && parent) standOn(lines.peek().findIndex((one) => one.kind === "span" && one.node === parent));
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
  else if (line) choose(line.node.span.span_id);
}

function escape(): void {
  if (chosen.peek() !== "") closeSpan();
  else if (zoomed.peek()) zoomed.value = null;
  else go(listUrl());
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
  const row = trace.peek()?.logs.find((one) => one.id === marked.peek());
  const node = shown.byId.get(row?.span_id || chosen.peek()) ?? shown.byId.get(chosen.peek());
  if (node) reveal(node);
  if (!row && !node) return;
  cursor.value = row ? `log ${row.id}` : `span ${node?.span.span_id}`;
  wanted.value = place();
}

const CHOICES = ["none", "warnings", "all"] as const;

export const COMMANDS: Command[] = [
  { key: "j", name: "Next span", run: () => moveBy(1) },
  { key: "k", name: "Previous span", run: () => moveBy(-1) },
  { key: "ArrowRight", name: "Unfold, or go into the span", run: right },
  { key: "ArrowLeft", name: "Fold, or go to the parent", run: left },
  { key: "g", name: "First span", run: () => standOn(0) },
  { key: "G", name: "Last span", run: () => standOn(lines.peek().length - 1) },
  { key: "Enter", name: "Open the span", run: enter },
  { key: "Escape", name: "Close the span, show all time, leave", run: escape },
  { key: "z", name: "Zoom to the span, or back", run: () => withSpan(zoomTo) },
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
