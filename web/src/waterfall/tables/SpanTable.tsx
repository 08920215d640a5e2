/* Every span as a row of figures, in the order of a column; only the rows on screen exist.

     view -> [table] -> rows on screen, panel */

import { Glyph } from "../../parts/Glyph.tsx";
import { Icon } from "../../parts/Icon.tsx";
import { countText, oneLine } from "../../parts/text.ts";
import { useRows } from "../../parts/useRows.ts";
import { Duration } from "../../traces/Figure.tsx";
import { lineTitle, ROW_PX } from "../Lanes.tsx";
import { stateOf } from "../SpanPanel.tsx";
import { chosen, choose, cursor, slotOf, tree, wanted } from "../state.ts";
import type { Node } from "../tree.ts";
import { Oddities, Took } from "../Waterfall.tsx";
import type { Column } from "./order.ts";
import { find, listAll, listed, only, order, seekFor, selves, showView, turnOrder, widen } from "./view.ts";

export const HEAD_PX = 28;
const TWO_LINES_PX = 44;
const NARROW_PX = 600;

const COLUMNS: [Column, string][] = [
  ["name", "span"], ["service", "service"], ["kind", "kind"], ["start", "start"], ["duration", "duration"], ["self", "self time"], ["status", "status"],
];
const FIGURES: ReadonlySet<Column> = new Set(["start", "duration", "self"]);

/** How high a row is; where there is little room it has two lines. */
export function rowPxOf(width: number): number {
  return width < NARROW_PX ? TWO_LINES_PX : ROW_PX;
}

export function SpanTable() {
  const nodes = listed.value;
  const { element, rowPx, first, last, onScroll } = useRows<HTMLDivElement>(nodes.length, wanted, rowPxOf, HEAD_PX);
  const at = nodes.findIndex((node) => isHere(node));
  return (
    <>
      <Tools />
      <div class={`sheet span-sheet${rowPx === ROW_PX ? "" : " narrow"}`} ref={element} tabIndex={0} role="grid" aria-label="Spans" aria-rowcount={nodes.length + 1}
        aria-activedescendant={at >= first && at < last ? `line-${at}` : undefined} onScroll={onScroll} onClick={take}>
        <Head />
        <div class="spans-height" role="rowgroup" style={{ height: `${nodes.length * rowPx}px` }}>
          {nodes.slice(first, last).map((node, i) => <Row key={i} node={node} index={first + i} rowPx={rowPx} />)}
          {nodes.length === 0 && <Nothing />}
        </div>
      </div>
    </>
  );
}

function isHere(node: Node): boolean {
  return cursor.value === `span ${node.span.span_id}`;
}

function take(event: MouseEvent): void {
  const node = listed.peek()[Number((event.target as Element).closest("[data-index]")?.getAttribute("data-index") ?? -1)];
  // A selection of text is no click.
  if (!node || String(getSelection()) !== "") return;
  cursor.value = `span ${node.span.span_id}`;
  choose(node.span.span_id);
}

function Tools() {
  const narrowed = only.value;
  const all = tree.value?.nodes.length ?? 0;
  return (
    <div class="toolbar sheet-tools">
      <label class="find"><Icon name="filter" />
        <input class="control small" type="search" aria-label="Filter the spans" placeholder="Filter: name, service, kind, status" value={find.value}
          onInput={(event) => seekFor(event.currentTarget.value)} />
      </label>
      {narrowed && <Chip name="service" value={narrowed.service} onDrop={() => widen(false)} />}
      {narrowed?.operation != null && <Chip name="operation" value={narrowed.operation} onDrop={() => widen(true)} />}
      <span class="grow" />
      <span class="muted" role="status"><b class="ink">{countText(listed.value.length)}</b>{listed.value.length === all ? "" : ` of ${countText(all)}`} spans</span>
    </div>
  );
}

function Chip({ name, value, onDrop }: { name: string; value: string; onDrop: () => void }) {
  const text = oneLine(value, 200) || "no name";
  return (
    <span class="term"><i>{name}:</i><span class="cut" title={text}>{text}</span>
      <button aria-label={`Not only this ${name}`} onClick={onDrop}><Icon name="close" /></button></span>
  );
}

function Head() {
  const now = order.value;
  return (
    <div class="sheet-head" role="row" aria-rowindex={1}>
      {COLUMNS.map(([column, text]) => {
        const isSorted = now.column === column;
        return (
          <span key={column} role="columnheader" class={FIGURES.has(column) ? "num" : ""} aria-sort={!isSorted ? "none" : now.isDescending ? "descending" : "ascending"}>
            <button class="sort" onClick={() => turnOrder(column)}>{text}{isSorted && <span aria-hidden="true">{now.isDescending ? " ↓" : " ↑"}</span>}</button>
          </span>
        );
      })}
    </div>
  );
}

function Row({ node, index, rowPx }: { node: Node; index: number; rowPx: number }) {
  const { span } = node;
  const [look, word] = stateOf(node);
  const isChosen = chosen.value === span.span_id;
  const isFailed = look === "error";
  return (
    <div class={`sheet-row${isChosen ? " sel" : ""}${isHere(node) ? " focus" : ""}${isFailed ? " bad" : ""}`} style={{ transform: `translateY(${index * rowPx}px)` }}
      role="row" id={`line-${index}`} data-index={index} aria-rowindex={index + 2} aria-selected={isChosen} title={lineTitle({ kind: "span", node })}>
      <span role="gridcell" class={`what series-${slotOf(span.service)}`}><i class="sw" /><span class="mono cut">{oneLine(span.name, 300) || "no name"}</span><Oddities node={node} /></span>
      <span role="gridcell" class="service muted cut">{oneLine(span.service, 100) || "no name"}</span>
      <span role="gridcell" class="kind muted cut">{oneLine(span.kind, 20)}</span>
      <span role="gridcell" class="start num"><i class="lead">at </i>{node.start === 0 ? "0" : <>+<Duration ns={node.start} /></>}</span>
      <span role="gridcell" class="took num"><Took node={node} /></span>
      <span role="gridcell" class="self num"><i class="lead">self </i><Duration ns={selves.value[node.index] ?? 0} /></span>
      <span role="gridcell" class="status-word">{look === "none" ? <span class="muted">{word.toLowerCase()}</span> : <span class={`state lv-${look}`}><Glyph name={look} />{word.toLowerCase()}</span>}</span>
    </div>
  );
}

function Nothing() {
  const all = tree.value?.nodes.length ?? 0;
  return (
    <div class="sheet-empty" role="row"><span role="gridcell">
      {all === 0
        ? <>No span to list. <button class="control small" onClick={() => showView("waterfall")}>Show the records</button></>
        : <>No span matches. <button class="control small" onClick={listAll}>Show all {countText(all)}</button></>}
    </span></div>
  );
}
