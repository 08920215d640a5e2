/* Which rows of a long list are on screen: only these exist, whatever the list's length. */

import { effect, type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

import { useSize } from "./useSize.ts";

const OVERSCAN = 6;

interface Rows<T> {
  element: RefObject<T | null>;
  onScroll: () => void;
  width: number;
  rowPx: number;
  /** Index of the first row that is drawn, and that behind the last. */
  first: number;
  last: number;
}

interface Place {
  rowPx: number;
  /** Height of a head that stays on top inside the scroller. */
  headPx: number;
}

/** A scroller's rows of one height; an index put into `wanted` is scrolled into view. */
export function useRows<T extends Element>(count: number, wanted: Signal<number>, rowPxOf: (width: number) => number, headPx = 0): Rows<T> {
  const { element, size } = useSize<T>([900, 600]);
  const top = useSignal(0);
  const [width, height] = size.value;
  const rowPx = rowPxOf(width);
  useEffect(() => effect(() => scrollTo(element.current, wanted, { rowPx, headPx })), [rowPx]);
  const first = Math.max(0, Math.min(count, Math.floor(top.value / rowPx)) - OVERSCAN);
  const last = Math.min(count, Math.ceil((top.value + height) / rowPx) + OVERSCAN);
  return { element, width, rowPx, first, last, onScroll: () => { top.value = element.current?.scrollTop ?? 0; } };
}

function scrollTo(element: Element | null, wanted: Signal<number>, { rowPx, headPx }: Place): void {
  const index = wanted.value;
  if (index < 0 || !element) return;
  wanted.value = -1;
  const place = index * rowPx;
  const room = element.clientHeight - headPx;
  if (place < element.scrollTop) element.scrollTop = place;
  else if (place + rowPx > element.scrollTop + room) element.scrollTop = place + rowPx - room;
}
