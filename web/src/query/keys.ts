/* What can be done on the query page by name or by key; known to the palette while it is open. */

import { pageCommands } from "../app/page-commands.ts";
import { openAt, cursorRow, moveRow, openedRow } from "../result/ResultTable.tsx";
import { selected } from "../address/address.ts";
import { close as closeRecord } from "../panel/Panel.tsx";
import { editor } from "./QueryEditor.tsx";
import { draft, replace } from "./question.ts";
import { exportAs, isRunning, run, stop } from "./run.ts";
import { SAMPLES } from "./samples.ts";
import { isNaming } from "./SaveForm.tsx";

function escape(): void {
  if (isRunning.peek()) stop();
  else if (selected.peek() !== "") closeRecord();
  else openedRow.value = null;
}

function save(): void {
  if (draft.peek().trim() !== "") isNaming.value = true;
}

const COMMANDS = [
  { key: "/", name: "Write the query", run: () => editor.peek()?.focus() },
  { key: "Ctrl Enter", name: "Run the query", run: () => void run() },
  { key: "Escape", name: "Stop the query, or close the row", run: escape },
  { key: "s", name: "Save the query", run: save },
  { key: "j", name: "Next row", run: () => moveRow(1) },
  { key: "k", name: "Previous row", run: () => moveRow(-1) },
  { key: "g", name: "First row", run: () => moveRow(-Infinity) },
  { key: "G", name: "Last row", run: () => moveRow(Infinity) },
  { key: "Enter", name: "Open the row", run: () => openAt(cursorRow.peek()) },
  { key: "", name: "Export as CSV", run: () => void exportAs("csv") },
  { key: "", name: "Export as JSON", run: () => void exportAs("json") },
  { key: "", name: "Export as NDJSON", run: () => void exportAs("ndjson") },
  { key: "", name: "Export as Parquet", run: () => void exportAs("parquet") },
  ...SAMPLES.map(({ name, query }) => ({
    key: "", name: `Ask: ${name}`, run: () => {
      replace(query);
      void run();
    },
  })),
];

function onKeyDown(event: KeyboardEvent): void {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  event.preventDefault();
  void run();
}

/** Put the page's commands in force; returns how to take them back. */
export function offerCommands(): () => void {
  pageCommands.value = COMMANDS;
  document.addEventListener("keydown", onKeyDown);
  return () => {
    pageCommands.value = [];
    document.removeEventListener("keydown", onKeyDown);
  };
}
