/* The name under which the query is saved, asked for in its toolbar. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { editor } from "./QueryEditor.tsx";
import { current, saveAs, saved } from "./saved.ts";

export const isNaming = signal(false);

export function SaveForm() {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const close = () => {
    isNaming.value = false;
    editor.peek()?.focus();
  };
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    const name = input.current?.value.trim() ?? "";
    if (name !== "" && (await saveAs(name))) close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    close();
    event.stopPropagation();
  };
  return (
    <form class="save-form" onSubmit={onSubmit} onKeyDown={onKeyDown}>
      <input class="control small grow" ref={input} aria-label="Name of the query" placeholder="Name of the query" maxLength={255}
        defaultValue={current.peek()?.name ?? ""} list="saved-names" />
      <datalist id="saved-names">{saved.value.map((one) => <option key={one.id} value={one.name} />)}</datalist>
      <button class="control small" type="submit">Save</button>
      <button class="control small quiet" type="button" onClick={close}>Cancel</button>
    </form>
  );
}
