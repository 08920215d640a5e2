/* The records that the browser holds, oldest first, at most 200,000 of them.

     feed -> [ring] -> table

   Invariants: no record id twice; one notification per animation frame, whatever is put in. */

import { signal } from "@preact/signals";

import type { Row } from "../api/types.ts";

/** A line that stands where something is missing; it is a row of the table like any other. */
export interface Gap {
  gap: true;
  id: string;
  text: string;
  action: string;
  run: () => void;
}

export type Item = Row | Gap;

export const ITEMS_MAX = 200_000;
const FLOOD_STEP_MS = 100;
const DROP_STEP = 5000;

export function isGap(item: Item): item is Gap {
  return "gap" in item;
}

/** Whether a comes before b: nanoseconds as text, the longer number being the later. */
export function isBefore(a: Row, b: Row): boolean {
  if (a.ts.length !== b.ts.length) return a.ts.length < b.ts.length;
  if (a.ts !== b.ts) return a.ts < b.ts;
  return a.id < b.id;
}

export class Ring {
  items: Item[] = [];
  /** How far the first item has moved since the start: put in front minus dropped there. */
  front = 0;
  /** How many items were put at the end since the start. */
  back = 0;
  /** Counts the fillings: what was on screen before one has no place in the next. */
  epoch = 0;
  readonly version = signal(0);
  private ids = new Set<string>();
  private isScheduled = false;
  private shownAt = 0;

  has(id: string): boolean {
    return this.ids.has(id);
  }

  clear(): void {
    this.items = [];
    this.ids.clear();
    this.front = 0;
    this.back = 0;
    this.epoch += 1;
    this.notify();
  }

  private takeNew(rows: Row[]): Row[] {
    const fresh = rows.filter((row) => !this.ids.has(row.id));
    for (const row of fresh) this.ids.add(row.id);
    return fresh;
  }

  /** Put rows at the end; returns how many were not known yet. */
  append(rows: Row[]): number {
    const fresh = this.takeNew(rows);
    for (const row of fresh) this.items.push(row);
    this.back += fresh.length;
    this.dropOldest();
    this.notify();
    return fresh.length;
  }

  appendGap(gap: Gap): void {
    this.items.push(gap);
    this.back += 1;
    this.notify();
  }

  /** Put older rows, oldest first, before everything held. */
  prepend(rows: Row[]): void {
    const fresh = this.takeNew(rows);
    this.items = (fresh as Item[]).concat(this.items);
    this.front += fresh.length;
    this.notify();
  }

  /** Put each row where its time belongs; for the few that a gap left out. */
  merge(rows: Row[]): number {
    const fresh = this.takeNew(rows);
    for (const row of fresh) {
      let at = this.items.length;
      while (at > 0) {
        const item = this.items[at - 1];
        if (item && !isGap(item) && isBefore(item, row)) break;
        at -= 1;
      }
      this.items.splice(at, 0, row);
      if (at < this.items.length - 1) this.front += at === 0 ? 1 : 0;
      this.back += 1;
    }
    this.notify();
    return fresh.length;
  }

  /** Put the rows of a filled gap in the gap's place. */
  fillGap(id: string, rows: Row[]): void {
    const at = this.items.findIndex((item) => item.id === id);
    if (at < 0) return;
    const fresh = this.takeNew(rows);
    this.items.splice(at, 1, ...fresh);
    this.back += fresh.length - 1;
    this.notify();
  }

  indexOf(id: string): number {
    if (!this.ids.has(id)) return -1;
    return this.items.findIndex((item) => item.id === id);
  }

  firstRow(): Row | undefined {
    return this.items.find((item): item is Row => !isGap(item));
  }

  lastRow(): Row | undefined {
    for (let i = this.items.length - 1; i >= 0; i -= 1) {
      const item = this.items[i];
      if (item && !isGap(item)) return item;
    }
    return undefined;
  }

  private dropOldest(): void {
    if (this.items.length <= ITEMS_MAX) return;
    const count = this.items.length - ITEMS_MAX + DROP_STEP;
    for (const item of this.items.splice(0, count)) this.ids.delete(item.id);
    this.front -= count;
  }

  private notify(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    const run = () => {
      if (!this.isScheduled) return;
      this.isScheduled = false;
      this.shownAt = performance.now();
      this.version.value += 1;
    };
    // A calm stream is shown with the next frame; of a flood nobody reads more often than this.
    const wait = this.shownAt + FLOOD_STEP_MS - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(run), wait);
    else requestAnimationFrame(run);
    // A hidden tab gets no frames; its table must still be whole when it is looked at.
    if (document.hidden) setTimeout(run, 250);
  }
}
