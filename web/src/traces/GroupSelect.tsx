/* Which of X-Ray's groups the page is narrowed to; absent while there is none to choose. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { setParams } from "../address/address.ts";
import { askGroups } from "../api/xray.ts";
import { oneLine } from "../parts/text.ts";
import { group } from "./search.ts";

const DEFAULT = "Default";

export function GroupSelect() {
  const names = useSignal<string[]>([]);
  useEffect(() => {
    askGroups().then((found) => {
      names.value = found.map((one) => one.GroupName).filter((name) => name !== DEFAULT);
    }).catch(() => undefined);
  }, []);
  const shown = group.value !== "" && !names.value.includes(group.value) ? [group.value, ...names.value] : names.value;
  if (shown.length === 0) return null;
  return (
    <select class="control small group-select" aria-label="Group" value={group.value}
      onChange={(event) => setParams({ group: event.currentTarget.value }, true)}>
      <option value="">All traces</option>
      {shown.map((name) => <option key={name} value={name}>{oneLine(name, 60)}</option>)}
    </select>
  );
}
