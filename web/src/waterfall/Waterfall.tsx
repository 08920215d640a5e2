/* The spans under each other: names left, time right; only the lines on screen exist.

     tree, folds -> [waterfall] -> lines on screen */

import { signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";

import { Glyph } from "../parts/Glyph.tsx";
import { levelLook } from "../parts/level.ts";
import { countText, oneLine } from "../parts/text.ts";
import { useRows } from "../parts/useRows.ts";
import { Duration } from "../traces/Figure.tsx";
import { Axis, Lanes, lineTitle, ROW_PX } from "./Lanes.tsx";
import { chosen, choose, cursor, excessOf, folded, isForsaken, keyOf, lengthOf, lines, marked, slotOf, tree, turn, wanted } from "./state.ts";
import { countBelow, type Line, type Node } from "./tree.ts";

const INDENT_PX = 14;
const INDENT_PX_MIN = 2;
const EXCESS_MIN = 1.5;

const nameWidth = signal(352);

function nameWidthOf(width: number): number {
  if (width < 520) return Math.round(width * 0.56);
  return width < 860 ? 260 : 352;
}

export function Waterfall({ onOpenLog }: { onOpenLog: (id: string) => void }) {
  const shown = lines.value;
  const { element: box, width, first, last, onScroll } = useRows<HTMLDivElement>(shown.length, wanted, () => ROW_PX);
  useLayoutEffect(() => { nameWidth.value = nameWidthOf(width); }, [width]);
  const lane = Math.max(40, width - nameWidth.value);
  const at = shown.findIndex((line) => keyOf(line) === cursor.value);
  const onClick = (event: MouseEvent) => take(event, onOpenLog);
  return (
    <div class="fall" style={{ "--name": `${nameWidth.value}px` }}>
      <div class="thead" aria-hidden="true"><span class="name"><span class="grow">span, service</span><span>duration</span></span><Axis width={lane} /></div>
      <div class="spans" ref={box} tabIndex={0} role="treegrid" aria-label="Spans" aria-rowcount={shown.length}
        aria-activedescendant={at >= first && at < last ? `line-${at}` : undefined}
        onScroll={onScroll} onClick={onClick}>
        <div class="spans-height" role="presentation" style={{ height: `${shown.length * ROW_PX}px` }}>
          {shown.slice(first, last).map((line, i) => <Named key={i} line={line} index={first + i} />)}
          <Lanes first={first} last={last} width={lane} />
        </div>
      </div>
    </div>
  );
}

function take(event: MouseEvent, onOpenLog: (id: string) => void): void {
  const target = event.target as Element;
  const line = lines.peek()[Number(target.closest("[data-index]")?.getAttribute("data-index"))];
  if (!line) return;
  cursor.value = keyOf(line);
  if (line.kind === "log") onOpenLog(line.mark.row.id);
  else if (target.closest(".fold")) turn(line.node);
  else choose(line.node.span.span_id);
}

/* In a deep tree each step is small, or the deepest names would have no room. */
function indentOf(depth: number): number {
  const room = nameWidth.value * (nameWidth.value < 240 ? 0.2 : 0.4);
  const step = Math.min(INDENT_PX, room / Math.max(1, tree.value?.deepest ?? 1));
  return Math.min(room, depth * Math.max(INDENT_PX_MIN, step));
}

function Named({ line, index }: { line: Line; index: number }) {
  const isHere = keyOf(line) === cursor.value;
  const style = { transform: `translateY(${index * ROW_PX}px)` };
  if (line.kind === "log") return <LogLine line={line} index={index} isHere={isHere} style={style} />;
  const { node } = line;
  const isFolded = folded.value.has(node.span.span_id);
  const isChosen = chosen.value === node.span.span_id;
  return (
    <div class={`span-line${isChosen ? " sel" : ""}${isHere ? " focus" : ""}`} style={style} role="row" id={`line-${index}`} data-index={index}
      aria-level={node.depth + 1} aria-rowindex={index + 1} aria-selected={isChosen}
      aria-expanded={node.children.length > 0 ? !isFolded : undefined} title={lineTitle(line)}>
      <span class={`name series-${slotOf(node.span.service)}`} role="gridcell" style={{ paddingLeft: `${12 + indentOf(node.depth)}px` }}>
        <span class="fold" aria-hidden="true">{node.children.length > 0 ? (isFolded ? "▸" : "▾") : ""}</span>
        <i class="sw" /><span class="op mono cut">{oneLine(node.span.name, 300) || "no name"}</span>
        <span class="sv cut">{oneLine(node.span.service, 100)}{isFolded && ` +${countText(countBelow(node))}`}</span>
        <Marks node={node} />
        <span class="num"><Took node={node} /></span>
      </span>
    </div>
  );
}

function Marks({ node }: { node: Node }) {
  const excess = excessOf(node);
  return (
    <span class="marks">
      {excess >= EXCESS_MIN && <span class="lv-warn excess" title={`${excess.toFixed(1)} times the usual p95`}>{excess >= 10 ? excess.toFixed(0) : excess.toFixed(1)}×</span>}
      {node.span.status === "error" && <span class="lv-error" role="img" aria-label="failed"><Glyph name="error" /></span>}
      <Oddities node={node} />
    </span>
  );
}

/** What is odd about where a span stands. */
export function Oddities({ node }: { node: Node }) {
  return (
    <>
      {node.early > 0 && <span class="lv-warn" role="img" aria-label="clocks differ" title="clocks differ"><Glyph name="warn" /></span>}
      {node.span.orphan && <span class="lv-none" role="img" aria-label="its parent is not stored" title="its parent is not stored"><Glyph name="none" /></span>}
    </>
  );
}

/** How long a span took, or has taken so far. */
export function Took({ node }: { node: Node }) {
  return node.span.pending && isForsaken.value ? <>open</> : <Duration ns={lengthOf(node)} />;
}

interface LogLineProps {
  line: Line & { kind: "log" };
  index: number;
  isHere: boolean;
  style: { transform: string };
}

function LogLine({ line, index, isHere, style }: LogLineProps) {
  const { row } = line.mark;
  const { look, word } = levelLook(row.level);
  return (
    <div class={`span-line inline lv-${look}${isHere ? " focus" : ""}${row.id === marked.value ? " marked" : ""}`} style={style} role="row"
      id={`line-${index}`} data-index={index} aria-level={line.depth + 1} aria-rowindex={index + 1} title={lineTitle(line)}>
      <span class="name" role="gridcell" style={{ paddingLeft: `${12 + indentOf(line.depth)}px` }}>
        <span class="fold" /><span role="img" aria-label={word}><Glyph name={look} /></span><span class="mono cut">{oneLine(row.message, 500)}</span>
      </span>
    </div>
  );
}
