/* Copies text and says so; on plain http to another host there is no clipboard interface. */

import { signal } from "@preact/signals";

/** A short word about what just happened, for the status line and for screen readers. */
export const word = signal("");
let timer = 0;

export function say(text: string): void {
  word.value = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    word.value = "";
  }, 4000);
}

function copyByHand(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say(copyByHand(text) ? `${what} copied` : "this browser lets nothing be copied");
  }
}
