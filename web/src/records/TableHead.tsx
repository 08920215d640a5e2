/* The table's head: names of the columns, list or JSON, and which columns there are. */

import { useSignal } from "@preact/signals";

import { columns, from, isDescending, setParams, to, view } from "../address/address.ts";
import { askFields } from "../api/client.ts";
import { Icon } from "../parts/Icon.tsx";
import { oneLine } from "../parts/text.ts";
import { toggleSort } from "./RecordTable.tsx";

const FIELDS_MAX = 40;

export function toggleColumn(name: string): void {
  const now = columns.peek();
  const next = now.includes(name) ? now.filter((one) => one !== name) : [...now, name];
  setParams({ cols: next.join(",") }, true);
}

export function TableHead() {
  return (
    <div class="thead cols" role="row" aria-rowindex={1}>
      <span class="t" role="columnheader" aria-sort={isDescending.value ? "descending" : "ascending"}>
        <button class="sort" onClick={toggleSort} title="Turn the order around">
          time <span aria-hidden="true">{isDescending.value ? "↑" : "↓"}</span>
        </button>
      </span>
      <span class="l" role="columnheader">level</span>
      <span class="s" role="columnheader">service</span>
      {columns.value.map((name) => (
        <span class="c mono" role="columnheader" key={name}>{oneLine(name, 60)}</span>
      ))}
      <span class="m" role="columnheader">message</span>
    </div>
  );
}

/** Beside the grid, not in it: controls are no cells. */
export function TableTools() {
  return (
    <div class="table-tools">
      <span class="segment" role="group" aria-label="View">
        <button aria-pressed={view.value === "list"} onClick={() => setParams({ view: "" }, true)}>List</button>
        <button aria-pressed={view.value === "json"} onClick={() => setParams({ view: "json" }, true)}>JSON</button>
      </span>
      <ColumnMenu />
    </div>
  );
}

function ColumnMenu() {
  const isOpen = useSignal(false);
  const names = useSignal<string[]>([]);
  const open = async () => {
    isOpen.value = !isOpen.value;
    if (!isOpen.value) return;
    const fields = await askFields(from.peek(), to.peek()).catch(() => []);
    const all = [...columns.peek(), "logger", "trace_id", ...fields.map((field) => field.name)];
    names.value = [...new Set(all)].filter((name) => !["level", "service", "message"].includes(name));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    isOpen.value = false;
    event.stopPropagation();
  };
  return (
    <span class="anchor" onKeyDown={onKeyDown}>
      <button class="control small icon-only" aria-label="Columns" aria-expanded={isOpen.value} onClick={open}>
        <Icon name="columns" />
      </button>
      {isOpen.value && (
        <div class="menu column-menu" role="group" aria-label="Columns">
          {names.value.slice(0, FIELDS_MAX).map((name) => (
            <label class="choice" key={name}>
              <input type="checkbox" checked={columns.value.includes(name)} onChange={() => toggleColumn(name)} />
              <span class="mono cut">{oneLine(name, 80)}</span>
            </label>
          ))}
        </div>
      )}
    </span>
  );
}
