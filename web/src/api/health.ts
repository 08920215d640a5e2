/* The server's own condition, asked for every few seconds while somebody looks. */

import { signal } from "@preact/signals";

import { ApiError, askStatus } from "./client.ts";
import type { Status } from "./types.ts";

const EVERY_MS = 3000;

export const status = signal<Status | null>(null);
/** Since when the server does not answer; 0 while it does. */
export const absent_ms = signal(0);

/* Clocks that differ by less than this count as one. */
const SKEW_MS_MIN = 2000;
let skew_ms = 0;

/** Now, by the clock of the server, whose times all records and ranges are in. */
export function serverNow(): number {
  return Date.now() + skew_ms;
}

export async function askHealth(): Promise<void> {
  try {
    status.value = await askStatus();
    const apart = (status.peek()?.now_ms ?? Date.now()) - Date.now();
    skew_ms = Math.abs(apart) < SKEW_MS_MIN ? 0 : apart;
    absent_ms.value = 0;
  } catch (error) {
    const isAbsence = error instanceof ApiError && error.isAbsence;
    if (isAbsence && absent_ms.peek() === 0) absent_ms.value = Date.now();
  }
}

export function watchHealth(): void {
  void askHealth();
  setInterval(() => {
    if (!document.hidden) void askHealth();
  }, EVERY_MS);
}
