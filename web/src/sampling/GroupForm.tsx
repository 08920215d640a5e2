/* A group of traces to write or change. */

import { useSignal } from "@preact/signals";

import { createGroup, type Group, updateGroup } from "../api/xray.ts";
import { Dialog } from "../dialogs/Dialog.tsx";
import { oneLine } from "../parts/text.ts";
import { Field, fieldOf } from "./fields.tsx";

interface Props {
  group: Group | null;
  onDone: (text: string) => void;
  onClose: () => void;
}

export function GroupForm({ group, onDone, onClose }: Props) {
  const name = useSignal(group?.GroupName ?? "");
  const expression = useSignal(group?.FilterExpression ?? "");
  const failure = useSignal("");
  const isName = fieldOf(failure.value, ["GroupName"]) !== "" && group === null;
  const submit = (event: Event) => {
    event.preventDefault();
    const asked = group ? updateGroup(name.value, expression.value) : createGroup(name.value, expression.value);
    asked.then(() => onDone(`group ${oneLine(name.value, 40)} stored`)).catch((error: Error) => { failure.value = error.message; });
  };
  return (
    <Dialog title={group ? "Edit the group" : "New group"} onClose={onClose}>
      <form class="sampling-form" onSubmit={submit}>
        <h2>{group ? `Group ${oneLine(group.GroupName, 64)}` : "New group"}</h2>
        <Field name="GroupName" label="Name" value={name.value} wrong={isName ? failure.value : ""} disabled={group !== null} required maxLength={32}
          onInput={(text) => { name.value = text; }} />
        <Field name="FilterExpression" label="Filter expression" value={expression.value} wrong={isName ? "" : failure.value}
          help='as in service("api") AND responsetime > 1, or fault = true' onInput={(text) => { expression.value = text; }} />
        <p class="form-foot"><button class="control" type="button" onClick={onClose}>Cancel</button><button class="control primary" type="submit">Store</button></p>
      </form>
    </Dialog>
  );
}
