/* The server's own condition, asked for every few seconds while somebody looks. */

import { signal } from "@preact/signals";

import { ApiError, askStatus } from "./client.ts";
import type { Status } from "./types.ts";

const EVERY_MS = 3000;

export const status = signal<Status | null>(null);
/** Since when the server does not answer; 0 while it does. */
export const absent_ms = signal(0);

export async function askHealth(): Promise<void> {
  try {
    status.value = await askStatus();
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
