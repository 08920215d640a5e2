/* The rows of a result: only those on screen exist; a click on a head orders, on a row opens.

     outcome -> [table] -> rows on screen, panel */

import { signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { selected, setParams } from "../address/address.ts";
import type { Cell, Column, Result } from "../api/insights.ts";
import { rolesOf } from "../chart/series.ts";
import { oneLine } from "../parts/text.ts";
import { zoneInForce } from "../time/clock.ts";
import { shownText, sortedIndices } from "./cells.ts";
import { measure, order, turnOrder } from "../query/question.ts";

const ROW_PX = 24;
const HEAD_PX = 28;
const OVERSCAN = 4;
const SAMPLE_ROWS = 100;
const LETTER_PX = 7.3;
const LETTERS_MIN = 7;
const LETTERS_MAX = 60;

/** Index, in the order shown, of the row that the keyboard stands on; -1 before any. */
export const cursorRow = signal(-1);
/** The aggregate row that is open; single records open by their id in the address. */
export const openedRow = signal<number | null>(null);

let shownOrder: number[] = [];
let shownResult: Result | null = null;

/** The rows of a result in the order of the address. */
export function orderedRows(result: Result): number[] {
  const now = order.value;
  const column = now ? result.columns.findIndex((one) => one.name === now.column) : -1;
  if (!now || column < 0) return result.rows.map((_, i) => i);
  return sortedIndices(result.rows, column, now.isDescending);
}

export function openAt(place: number): void {
  const row = shownOrder[place];
  if (row === undefined || !shownResult) return;
  cursorRow.value = place;
  const id = shownResult.record_ids[row] ?? null;
  if (id !== null) {
    openedRow.value = null;
    setParams({ sel: id }, selected.peek() === "");
  } else {
    setParams({ sel: "" });
    openedRow.value = row;
  }
}

export function moveRow(step: number): void {
  const place = Math.max(0, Math.min(shownOrder.length - 1, cursorRow.peek() + step));
  cursorRow.value = place;
  if (selected.peek() !== "" || openedRow.peek() !== null) openAt(place);
}

/* As wide as the longest of the first rows, within limits; the last text column takes the rest. */
function widthsOf(result: Result, columns: number[], isRecord: boolean): number[] {
  return columns.map((i) => {
    const column = result.columns[i] as Column;
    let letters = oneLine(column.name, LETTERS_MAX).length + 3;
    for (const row of result.rows.slice(0, SAMPLE_ROWS)) {
      letters = Math.max(letters, Math.min(LETTERS_MAX, shownText(row[i] ?? null, column, isRecord).length));
    }
    return Math.round(Math.max(LETTERS_MIN, letters) * LETTER_PX + 20);
  });
}

/* The column that the chart shows has a bar in each cell as well; -1 when there is none. */
function figureOf(result: Result): number {
  const roles = rolesOf(result);
  if (!roles || roles.figures.length + roles.groups.length < 2) return -1;
  const wanted = result.columns.findIndex((column) => column.name === measure.value);
  return roles.figures.includes(wanted) ? wanted : (roles.figures[0] ?? -1);
}

function largestOf(result: Result, figure: number): number {
  return figure < 0 ? 0 : result.rows.reduce((most, row) => Math.max(most, Number(row[figure] ?? 0)), 0);
}

/* The pointer that every event has says nothing to a reader. */
export function shownColumns(result: Result): number[] {
  return result.columns.flatMap((column, i) => (column.type === "record" || column.name === "@ptr" ? [] : [i]));
}

export function ResultTable({ result }: { result: Result }) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(400);
  const sorting = order.value;
  const figure = figureOf(result);
  // Scrolling draws anew many times a second; none of this changes with it.
  const rows = useMemo(() => orderedRows(result), [result, sorting]);
  const columns = useMemo(() => shownColumns(result), [result]);
  const isRecord = useMemo(() => result.record_ids.some((id) => id !== null), [result]);
  const widths = useMemo(() => widthsOf(result, columns, isRecord), [result, zoneInForce()]);
  const largest = useMemo(() => largestOf(result, figure), [result, figure]);
  [shownOrder, shownResult] = [rows, result];
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => { height.value = element.clientHeight; });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    cursorRow.value = -1;
    openedRow.value = null;
    if (box.current) box.current.scrollTop = 0;
  }, [result]);
  useEffect(() => {
    const element = box.current;
    const place = cursorRow.value * ROW_PX;
    if (!element || place < 0) return;
    const room = element.clientHeight - HEAD_PX;
    if (place < element.scrollTop) element.scrollTop = place;
    else if (place + ROW_PX > element.scrollTop + room) element.scrollTop = place + ROW_PX - room;
  }, [cursorRow.value]);
  const first = Math.max(0, Math.floor(top.value / ROW_PX) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((top.value + height.value) / ROW_PX) + OVERSCAN);
  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest("[data-place]");
    if (row && String(getSelection()) === "") openAt(Number(row.getAttribute("data-place")));
  };
  const drawn = [];
  for (let place = first; place < last; place += 1) {
    const row = rows[place];
    if (row === undefined) continue;
    drawn.push(
      <Row key={place % (last - first + 1)} place={place} cells={result.rows[row] ?? []} result={result} columns={columns}
        widths={widths} isRecord={isRecord} figure={figure} largest={largest} isFocused={place === cursorRow.value}
        isOpen={openedRow.value === row || (selected.value !== "" && selected.value === result.record_ids[row])} />,
    );
  }
  const total = widths.reduce((sum, width) => sum + width, 0);
  return (
    <div class="result-rows" ref={box} tabIndex={0} role="grid" aria-label="Result" aria-rowcount={rows.length + 1}
      onScroll={(event) => { top.value = event.currentTarget.scrollTop; }} onClick={onClick}
      aria-activedescendant={cursorRow.value >= first && cursorRow.value < last ? `result-${cursorRow.value}` : undefined}>
      <Head result={result} columns={columns} widths={widths} total={total} />
      <div class="rows-height" role="rowgroup" style={{ height: `${rows.length * ROW_PX}px`, minWidth: `${total}px` }}>{drawn}</div>
    </div>
  );
}

interface Shape {
  result: Result;
  columns: number[];
  widths: number[];
}

function sizeOf(shape: Shape, k: number): Record<string, string> {
  const isLast = k === shape.columns.length - 1;
  const isText = shape.result.columns[shape.columns[k] ?? 0]?.type === "text";
  return { width: `${shape.widths[k]}px`, flexGrow: isLast && isText ? "1" : "0" };
}

function Head({ total, ...shape }: Shape & { total: number }) {
  const now = order.value;
  return (
    <div class="result-head" role="row" aria-rowindex={1} style={{ minWidth: `${total}px` }}>
      {shape.columns.map((i, k) => {
        const column = shape.result.columns[i] as Column;
        const isHere = now?.column === column.name;
        const sort = !isHere ? "none" : now.isDescending ? "descending" : "ascending";
        return (
          <span key={i} role="columnheader" aria-sort={sort} class={column.type === "number" ? "num" : ""} style={sizeOf(shape, k)}>
            <button class="sort mono" onClick={() => turnOrder(column.name)} title="Order by this column; a third time gives the server's order back">
              {oneLine(column.name, 80)}
              {column.type === "time" && <span class="u"> {zoneInForce() === "utc" ? "UTC" : "local"}</span>}
              <span aria-hidden="true">{isHere ? (now.isDescending ? " ↓" : " ↑") : ""}</span>
            </button>
          </span>
        );
      })}
    </div>
  );
}

interface RowProps extends Shape {
  place: number;
  cells: Cell[];
  isRecord: boolean;
  figure: number;
  largest: number;
  isFocused: boolean;
  isOpen: boolean;
}

function Row({ place, cells, isRecord, figure, largest, isFocused, isOpen, ...shape }: RowProps) {
  return (
    <div class={`result-row${isOpen ? " sel" : ""}${isFocused ? " focus" : ""}`} role="row" id={`result-${place}`} data-place={place}
      aria-rowindex={place + 2} aria-selected={isOpen} style={{ transform: `translateY(${place * ROW_PX}px)` }}>
      {shape.columns.map((i, k) => {
        const column = shape.result.columns[i] as Column;
        const cell = cells[i] ?? null;
        const isFigure = i === figure && typeof cell === "number" && cell > 0 && largest > 0;
        const look = column.type === "number" ? (isFigure ? "num figure" : "num") : cell === null ? "muted" : "";
        const share = isFigure ? { "--share": String(cell / largest) } : {};
        return (
          <span key={i} role="gridcell" class={look} style={{ ...sizeOf(shape, k), ...share }}
            title={column.type === "time" && cell !== null ? `${String(cell)} UTC` : undefined}>
            {cell === null ? "–" : shownText(cell, column, isRecord)}
          </span>
        );
      })}
    </div>
  );
}
