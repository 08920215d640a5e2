/* The table of records: only the rows on screen exist, whatever the result holds.

     ring -> [table] -> rows on screen

   Invariants: what is on screen stands still when rows are put before it or dropped there;
   while following, the end is in view in the same frame that brought it. */

import { effect, signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { columns, isDescending, isLive, selected, setParams, view } from "../address/address.ts";
import { preferences } from "../app/preferences.ts";
import { inWindow } from "../band/overview.ts";
import { fullTime, millisOf, partsOf, zoneInForce } from "../time/clock.ts";
import { fresh, hasNewer, hasOlder, loadNewer, loadOlder, pause, resume, ring } from "./feed.ts";
import { RecordRow } from "./RecordRow.tsx";
import { isGap, type Item } from "./ring.ts";
import { count, cursor, firstSeen, indexOf, itemAt, lastSeen, openRow, wanted } from "./viewport.ts";

const OVERSCAN = 3;
const NARROW = matchMedia("(max-width: 640px)");
const ATTRIBUTE_NODES_MAX = 125;
const DAY_MS = 86_400_000;
const isNarrow = signal(NARROW.matches);
NARROW.addEventListener("change", () => { isNarrow.value = NARROW.matches; });

function rowHeight(): number {
  if (isNarrow.value) return 44;
  return preferences.value.density === "dense" ? 18 : 22;
}

function isMinuteStart(item: Item, before: Item | undefined): boolean {
  if (!before || isGap(item) || isGap(before)) return false;
  return Math.floor(millisOf(item.ts) / 60_000) !== Math.floor(millisOf(before.ts) / 60_000);
}

interface Anchor {
  front: number;
  back: number;
  isDescending: boolean;
}

/* How many rows were put before the view's first since the last look. */
function shiftSince(anchor: Anchor): number {
  const shift = isDescending.peek() ? ring.back - anchor.back : ring.front - anchor.front;
  const isSame = anchor.isDescending === isDescending.peek();
  anchor.front = ring.front;
  anchor.back = ring.back;
  anchor.isDescending = isDescending.peek();
  return isSame ? shift : 0;
}

function isAtEnd(box: HTMLElement, height: number): boolean {
  if (isDescending.peek()) return box.scrollTop < height;
  return box.scrollHeight - box.scrollTop - box.clientHeight < height * 1.5;
}

function goToEnd(box: HTMLElement): void {
  box.scrollTop = isDescending.peek() ? 0 : box.scrollHeight;
}

/* A new filling opens at the selected record, or at its end. */
function openAt(box: HTMLElement, height: number): void {
  const index = indexOf(selected.peek());
  if (index < 0) goToEnd(box);
  else box.scrollTop = index * height - box.clientHeight / 2;
}

function pageWhenNear(first: number, last: number): void {
  const rows = ring.items.length;
  const isNearTop = first < 150;
  const isNearBottom = last > rows - 150;
  if (isDescending.peek() ? isNearBottom : isNearTop) loadOlder();
  if (isDescending.peek() ? isNearTop : isNearBottom) loadNewer();
}

export function RecordTable() {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const anchor = useRef<Anchor>({ front: 0, back: 0, isDescending: isDescending.peek() });
  const placed = useRef(-1);
  const lastTop = useRef(0);
  const h = rowHeight();
  const rows = count.value;
  void ring.version.value;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const shift = shiftSince(anchor.current);
    const isNew = placed.current !== ring.epoch && rows > 0;
    if (isLive.value) goToEnd(element);
    else if (isNew) openAt(element, h);
    else if (shift !== 0) element.scrollTop += shift * h;
    if (isNew) placed.current = ring.epoch;
    lastTop.current = element.scrollTop;
    top.value = element.scrollTop;
  }, [ring.version.value, isLive.value, isDescending.value, h, height.value]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => { height.value = element.clientHeight; });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => effect(() => scrollToWanted(box.current, h)), [h]);

  const first = Math.max(0, Math.floor(top.value / h) - OVERSCAN);
  const last = Math.min(rows, Math.ceil((top.value + height.value) / h) + OVERSCAN);
  useEffect(() => {
    firstSeen.value = Math.max(0, Math.floor(top.value / h));
    lastSeen.value = Math.max(0, Math.min(rows - 1, Math.floor((top.value + height.value) / h) - 1));
    pageWhenNear(first, last);
  });

  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const hasLeft = Math.abs(element.scrollTop - lastTop.current) > 1 && !isAtEnd(element, h);
    lastTop.current = element.scrollTop;
    top.value = element.scrollTop;
    if (isLive.peek() && hasLeft) pause();
  };
  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest("[data-index]");
    const item = row && itemAt(Number(row.getAttribute("data-index")));
    if (item && !isGap(item)) openRow(item.id);
  };

  // Written when it is asked for: a title for every row that flies by would cost frames.
  const onMouseOver = (event: MouseEvent) => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>(".t");
    const item = cell && itemAt(Number(cell.parentElement?.dataset.index));
    if (cell && item && !isGap(item)) cell.title = fullTime(item.ts);
  };

  return (
    <div class={`rows${preferences.value.density === "dense" ? " dense" : ""}`} ref={box} tabIndex={0}
      role="rowgroup" aria-label="Records" onScroll={onScroll} onClick={onClick} onMouseOver={onMouseOver}
      aria-activedescendant={cursorRowId(first, last)}>
      <div class="rows-height" role="presentation" style={{ height: `${rows * h}px` }}>
        {visibleRows(first, last, h, Math.ceil(height.value / h) + 2 * OVERSCAN + 2)}
      </div>
    </div>
  );
}

function cursorRowId(first: number, last: number): string | undefined {
  for (let i = first; i < last; i += 1) {
    if (itemAt(i)?.id === cursor.value) return `row-${i}`;
  }
  return undefined;
}

function scrollToWanted(element: HTMLElement | null, h: number): void {
  const index = wanted.value;
  if (index < 0 || !element) return;
  wanted.value = -1;
  const place = index * h;
  if (place < element.scrollTop) element.scrollTop = place;
  else if (place + h > element.scrollTop + element.clientHeight) {
    element.scrollTop = place + h - element.clientHeight;
  }
}

function spansDays(): boolean {
  const start = ring.firstRow();
  const end = ring.lastRow();
  if (!start || !end) return false;
  if (millisOf(end.ts) - millisOf(start.ts) > DAY_MS) return true;
  return partsOf(millisOf(start.ts)).date !== partsOf(millisOf(end.ts)).date;
}

/* A row's nodes are used again for the row that comes into view, `slots` rows further on. */
function visibleRows(first: number, last: number, h: number, slots: number) {
  const zone = zoneInForce();
  const withDate = spansDays();
  const shown = columns.value;
  // Few rows on screen leave room for more attributes each; the document stays under 600 nodes.
  const attributeMax = Math.max(2, Math.min(8, Math.floor(ATTRIBUTE_NODES_MAX / Math.max(1, last - first))));
  const offset = ariaOffset();
  const drawn = [];
  for (let i = first; i < last; i += 1) {
    const item = itemAt(i);
    if (!item) continue;
    drawn.push(
      <RecordRow key={i % slots} item={item} top={i * h} index={i} ariaIndex={offset + i + 2}
        isSelected={item.id === selected.value} isFocused={item.id === cursor.value}
        isNewMinute={isMinuteStart(item, itemAt(i - 1))} isJson={view.value === "json"}
        withDate={withDate} columns={shown} attributeMax={attributeMax} zone={zone} />,
    );
  }
  return drawn;
}

/* How many matching records lie before the first one held. */
function ariaOffset(): number {
  const matched = inWindow.value?.matched ?? 0;
  if (isDescending.value ? !hasNewer.value : !hasOlder.value) return 0;
  return Math.max(0, matched - ring.items.length);
}

export function NewPill() {
  if (isLive.value || fresh.value === 0) return null;
  return (
    <button class="control small primary new-pill" onClick={resume}>
      {fresh.value.toLocaleString("en-US")} new
    </button>
  );
}

export function toggleSort(): void {
  setParams({ sort: isDescending.peek() ? "" : "-ts" }, true);
}
