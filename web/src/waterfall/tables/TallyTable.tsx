/* Where the time went: each service with its operations, by self time.

     view -> [By service] -> rows on screen, table */

import { Glyph } from "../../parts/Glyph.tsx";
import { countText, oneLine } from "../../parts/text.ts";
import { useRows } from "../../parts/useRows.ts";
import { Duration } from "../../traces/Figure.tsx";
import { shareText } from "../../traces/figures.ts";
import { ROW_PX } from "../Lanes.tsx";
import { chosen, cursor, slotOf, tree, wanted, zoomed } from "../state.ts";
import { HEAD_PX, rowPxOf } from "./SpanTable.tsx";
import { isOf, type Tally } from "./tallies.ts";
import { foldedServices, listAll, openTally, showView, tallies, tallyLines, turnService } from "./view.ts";

const HEADS: [string, string, string][] = [
  ["service, operation", "", ""], ["spans", "num", ""], ["failed", "num", ""],
  ["total", "num", "The durations added up, of spans within spans, too"],
  ["self time", "num", "The durations added up, each without what its children cover"],
  ["share of self time", "share", "Of the self time of all spans listed"],
];

export function TallyTable() {
  const lines = tallyLines.value;
  const { element, rowPx, first, last, onScroll } = useRows<HTMLDivElement>(lines.length, wanted, rowPxOf, HEAD_PX);
  const sum = tallies.value.reduce((all, one) => all + one.self, 0);
  const at = lines.findIndex((tally) => tally.key === cursor.value);
  return (
    <div class={`sheet tally-sheet${rowPx === ROW_PX ? "" : " narrow"}`} ref={element} tabIndex={0} role="treegrid" aria-label="Time by service" aria-rowcount={lines.length + 1}
      aria-activedescendant={at >= first && at < last ? `line-${at}` : undefined} onScroll={onScroll} onClick={take}>
      <div class="sheet-head" role="row" aria-rowindex={1}>
        {HEADS.map(([text, look, title]) => <span key={text} role="columnheader" class={look} title={title || undefined} aria-sort={text === "self time" ? "descending" : undefined}>{text}{text === "self time" && <span aria-hidden="true"> ↓</span>}</span>)}
      </div>
      <div class="spans-height" role="rowgroup" style={{ height: `${lines.length * rowPx}px` }}>
        {lines.slice(first, last).map((tally, i) => <Row key={i} tally={tally} index={first + i} rowPx={rowPx} sum={sum} />)}
        {lines.length === 0 && <Nothing />}
      </div>
    </div>
  );
}

function take(event: MouseEvent): void {
  const target = event.target as Element;
  const tally = tallyLines.peek()[Number(target.closest("[data-index]")?.getAttribute("data-index") ?? -1)];
  if (!tally || String(getSelection()) !== "") return;
  cursor.value = tally.key;
  if (target.closest(".fold") && tally.operation === null) turnService(tally.service);
  else openTally(tally);
}

/** Whether the span whose panel is open counts in a line that stands for itself. */
function hasChosen(tally: Tally): boolean {
  const node = tree.value?.byId.get(chosen.value);
  return node !== undefined && isOf(node, tally) && (tally.operation !== null || foldedServices.value.has(tally.service));
}

interface RowProps {
  tally: Tally;
  index: number;
  rowPx: number;
  /** Self time of all spans listed, in nanoseconds. */
  sum: number;
}

function Row({ tally, index, rowPx, sum }: RowProps) {
  const { service, operation, spans, errors } = tally;
  const isWhole = operation === null;
  const isFolded = isWhole && foldedServices.value.has(service);
  const share = tally.self / Math.max(1, sum);
  const isChosen = hasChosen(tally);
  const name = oneLine(operation ?? service, 300) || "no name";
  return (
    <div class={`sheet-row series-${slotOf(service)}${isWhole ? " whole" : ""}${isChosen ? " sel" : ""}${tally.key === cursor.value ? " focus" : ""}`}
      style={{ transform: `translateY(${index * rowPx}px)` }} role="row" id={`line-${index}`} data-index={index}
      aria-level={isWhole ? 1 : 2} aria-rowindex={index + 2} aria-selected={isChosen} aria-expanded={isWhole ? !isFolded : undefined}
      title={`${name}: list ${spans === 1 ? "its span" : `its ${countText(spans)} spans`}`}>
      <span role="gridcell" class="what"><span class="fold" aria-hidden="true">{isWhole ? (isFolded ? "▸" : "▾") : ""}</span><i class="sw" /><span class={isWhole ? "cut" : "mono cut"}>{name}</span></span>
      <span role="gridcell" class="spans-of num">{countText(spans)}<i class="lead"> spans</i></span>
      <span role="gridcell" class="errors num">{errors > 0 ? <span class="state lv-error"><Glyph name="error" />{countText(errors)}</span> : <span class="muted">0</span>}</span>
      <span role="gridcell" class="total num"><i class="lead">total </i><Duration ns={tally.total} /></span>
      <span role="gridcell" class="self num"><i class="lead">self </i><Duration ns={tally.self} /></span>
      <span role="gridcell" class="share"><span class="track"><i style={{ width: `${share * 100}%` }} /></span><span class="num">{shareText(share)}<span class="u"> %</span></span></span>
    </div>
  );
}

function Nothing() {
  return (
    <div class="sheet-empty" role="row"><span role="gridcell">
      {zoomed.value
        ? <>No span touches this time. <button class="control small" onClick={listAll}>Show all of it</button></>
        : <>No span to count. <button class="control small" onClick={() => showView("waterfall")}>Show the records</button></>}
    </span></div>
  );
}
