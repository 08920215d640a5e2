/* Dragging over the band: a new window, or one of its edges moved.

     pointer -> [brush] -> address (from, to)

   Snaps to whole bars, for half a bar's count would be a figure that nobody was shown. */

import { signal } from "@preact/signals";

import { setParams } from "../address/address.ts";
import type { Histogram } from "../api/types.ts";
import { timeAt, xOf } from "./bars.ts";
import { band, lit } from "./overview.ts";

const GRIP_PX = 7;
const DRAG_PX_MIN = 2;

/** The window while it is being dragged, in milliseconds. */
export const dragged = signal<[number, number] | null>(null);

function fixedEnd(x: number, counts: Histogram, width: number): number | null {
  const window = lit.peek();
  if (!window) return null;
  const [left, right] = window.map((at) => xOf(at, counts, width)) as [number, number];
  if (Math.abs(x - left) <= GRIP_PX) return window[1];
  if (Math.abs(x - right) <= GRIP_PX) return window[0];
  return null;
}

function snapped(a_ms: number, b_ms: number, counts: Histogram): [number, number] {
  const origin = counts.buckets[0]?.[0] ?? counts.from_ms;
  const step = Math.max(1, counts.step_ms);
  const start = origin + Math.floor((Math.min(a_ms, b_ms) - origin) / step) * step;
  const end = origin + Math.ceil((Math.max(a_ms, b_ms) - origin) / step) * step;
  return [start, Math.max(end, start + step)];
}

/** Start a drag; the pointer is captured so that it may leave the band. */
export function startBrush(event: PointerEvent): void {
  const counts = band.peek();
  const element = event.currentTarget as Element;
  if (!counts || event.button !== 0) return;
  const box = element.getBoundingClientRect();
  const x0 = event.clientX - box.left;
  const held = fixedEnd(x0, counts, box.width) ?? timeAt(x0, counts, box.width);
  element.setPointerCapture(event.pointerId);
  const move = (next: PointerEvent) => {
    const x = Math.max(0, Math.min(box.width, next.clientX - box.left));
    if (Math.abs(x - x0) <= DRAG_PX_MIN && !dragged.peek()) return;
    dragged.value = snapped(held, timeAt(x, counts, box.width), counts);
  };
  const stop = () => {
    element.removeEventListener("pointermove", move as EventListener);
    const window = dragged.peek();
    dragged.value = null;
    if (window) setWindow(window);
  };
  element.addEventListener("pointermove", move as EventListener);
  element.addEventListener("pointerup", stop, { once: true });
  element.addEventListener("pointercancel", stop, { once: true });
}

/** Look at one window of time; nothing is followed until somebody asks for it. */
export function setWindow([start, end]: [number, number]): void {
  setParams({ from: String(Math.round(start)), to: String(Math.round(end)), live: "" }, true);
}
