/* Keys to commands; silent where somebody writes, and when single keys are turned off. */

import { path } from "../address/address.ts";
import { commands } from "./commands.ts";
import { pageCommands } from "./page-commands.ts";
import { preferences } from "./preferences.ts";

const SECOND_KEY_MS = 600;
const EVERYWHERE = new Set(["d", "y", "/"]);
/* What means the same on the query page as on the logs page; the rest of its keys it brings along. */
const ON_QUERY = new Set(["[", "]", "-", "+", "c", "t"]);
const ARROWS: Record<string, string> = { ArrowDown: "j", ArrowUp: "k", Home: "g", End: "G" };
const CONTROLS = "button, a, input, select, textarea, [contenteditable], dialog, .value, .tree .n";

export interface KeyActions {
  help: () => void;
  palette: () => void;
}

function find(key: string) {
  return pageCommands.peek().find((command) => command.key === key) ?? commands.find((command) => command.key === key);
}

/** Whether a key means something on the page that is open. */
export function isOffered(key: string): boolean {
  if (path.peek() === "/logs" || EVERYWHERE.has(key) || key === "g") return true;
  return (path.peek() === "/query" && ON_QUERY.has(key)) || pageCommands.peek().some((command) => command.key === key);
}

function isWriting(target: Element): boolean {
  return target.matches("input, select, textarea, [contenteditable]") || target.closest("dialog") !== null;
}

/* Enter, Space and arrows belong to a control that has the focus. */
function belongsToControl(event: KeyboardEvent, target: Element): boolean {
  const isNative = [" ", "Enter"].includes(event.key) || event.key in ARROWS;
  if (!isNative) return false;
  if (event.key in ARROWS && target.matches(".tab-body, .facet-list")) return true;
  return target.matches(CONTROLS);
}

/** Listen to the page's keys; returns how to stop. */
export function listenToKeys(actions: KeyActions): () => void {
  let waiting = 0;
  const runLater = (key: string) => {
    waiting = window.setTimeout(() => { waiting = 0; find(key)?.run(); }, SECOND_KEY_MS);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Inside the query editor's shadow root the event's own target is only its host.
    const target = (event.composedPath()[0] ?? event.target) as Element;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      actions.palette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(target)) return;
    if (belongsToControl(event, target)) return;
    const isLong = event.key.length > 1;
    if (!preferences.peek().singleKeys && !isLong) return;
    if (event.key === "?") return actions.help();
    const isSecond = waiting !== 0;
    clearTimeout(waiting);
    waiting = 0;
    const key = ARROWS[event.key] ?? event.key;
    if (isSecond && find(`g ${key}`)) return find(`g ${key}`)?.run();
    if (!isOffered(key)) return;
    if (key === "g" && !isLong) return runLater("g");
    const command = find(key);
    if (!command) return;
    event.preventDefault();
    command.run();
  };
  document.addEventListener("keydown", onKeyDown);
  return () => document.removeEventListener("keydown", onKeyDown);
}
