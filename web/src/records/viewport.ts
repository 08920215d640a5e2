/* Where the table is scrolled to, and how a row is reached; shared by table, ruler and keys. */

import { computed, signal } from "@preact/signals";

import { isDescending, selected, setParams } from "../address/address.ts";
import { ring } from "./feed.ts";
import { isGap, type Item } from "./ring.ts";

/** Index, in the order of the view, of the first and last row on screen. */
export const firstSeen = signal(0);
export const lastSeen = signal(0);
/** Id of the row that the keyboard stands on. */
export const cursor = signal("");
/** Set to an index to have the table scroll there. */
export const wanted = signal(-1);

export const count = computed(() => {
  void ring.version.value;
  return ring.items.length;
});

/** The item at an index of the view, which may run against the ring's order. */
export function itemAt(index: number): Item | undefined {
  return ring.items[isDescending.peek() ? ring.items.length - 1 - index : index];
}

/** The view's index of a record; -1 when it is not held. */
export function indexOf(id: string): number {
  const at = ring.indexOf(id);
  return at < 0 || !isDescending.peek() ? at : ring.items.length - 1 - at;
}

/** Put the keyboard on a row; an open panel goes with it. */
export function moveTo(index: number): void {
  const item = itemAt(Math.max(0, Math.min(ring.items.length - 1, index)));
  if (!item) return;
  cursor.value = item.id;
  wanted.value = indexOf(item.id);
  if (selected.peek() !== "" && !isGap(item)) setParams({ sel: item.id });
}

export function moveBy(step: number): void {
  const from = indexOf(cursor.peek() || selected.peek());
  moveTo(from < 0 ? (step > 0 ? firstSeen.peek() : lastSeen.peek()) : from + step);
}

/** Move to the next row, in one direction, that a test accepts; false when none is held. */
export function moveToNext(step: 1 | -1, accepts: (item: Item) => boolean): boolean {
  let at = indexOf(cursor.peek() || selected.peek());
  if (at < 0) at = step > 0 ? firstSeen.peek() - 1 : lastSeen.peek() + 1;
  for (at += step; at >= 0 && at < ring.items.length; at += step) {
    const item = itemAt(at);
    if (item && accepts(item)) {
      moveTo(at);
      return true;
    }
  }
  return false;
}

export function openRow(id: string): void {
  cursor.value = id;
  setParams({ sel: id }, selected.peek() === "");
}
