/* Which log groups are asked; none chosen means all of them. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Icon } from "../parts/Icon.tsx";
import { countText, oneLine } from "../parts/text.ts";
import { known, loadGroups } from "./offer.ts";
import { chooseGroups, groups } from "./question.ts";

const SHOWN_MAX = 200;
const NAMED_MAX = 3;

function Chosen() {
  const names = groups.value;
  if (names.length === 0) return <>All log groups <span class="muted">{known.value.length || ""}</span></>;
  const left = names.length - NAMED_MAX;
  return (
    <>
      {names.slice(0, NAMED_MAX).map((name) => <span class="term" key={name}>{oneLine(name, 60)}</span>)}
      {left > 0 && <span class="muted">and {left} more</span>}
    </>
  );
}

export function GroupPicker() {
  const isOpen = useSignal(false);
  const typed = useSignal("");
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!isOpen.value) return undefined;
    const abort = new AbortController();
    loadGroups(abort.signal).catch(() => undefined);
    const close = (event: Event) => {
      if (!element.current?.contains(event.target as Node)) isOpen.value = false;
    };
    document.addEventListener("pointerdown", close);
    return () => {
      abort.abort();
      document.removeEventListener("pointerdown", close);
    };
  }, [isOpen.value]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    isOpen.value = false;
    element.current?.querySelector<HTMLElement>(".group-button")?.focus();
    event.stopPropagation();
  };
  return (
    <span class="anchor group-picker" ref={element} onKeyDown={onKeyDown}>
      <button class="control group-button" aria-label={`Log groups: ${groups.value.join(", ") || "all"}`} aria-haspopup="dialog" aria-expanded={isOpen.value}
        onClick={() => { isOpen.value = !isOpen.value; typed.value = ""; }}>
        <Icon name="filter" /><span class="cut"><Chosen /></span><span class="grow" /><Icon name="down" />
      </button>
      {isOpen.value && <GroupMenu typed={typed.value} onType={(text) => { typed.value = text; }} />}
    </span>
  );
}

function GroupMenu({ typed, onType }: { typed: string; onType: (text: string) => void }) {
  const chosen = groups.value;
  const gone = chosen.filter((name) => !known.value.some((group) => group.name === name)).map((name) => ({ name, records: 0 }));
  const found = [...gone, ...known.value].filter((group) => group.name.toLowerCase().includes(typed.trim().toLowerCase()));
  const turn = (name: string) => {
    chooseGroups(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  };
  return (
    <div class="menu group-menu" role="dialog" aria-label="Log groups">
      <div class="pad"><input class="control small" type="search" aria-label="Find a log group" placeholder="Find a log group" value={typed}
        ref={(input) => { if (input && !input.dataset.met) { input.dataset.met = "1"; input.focus(); } }}
        onInput={(event) => onType(event.currentTarget.value)} /></div>
      <div class="group-list">
        {found.slice(0, SHOWN_MAX).map(({ name, records }) => (
          <label class="choice" key={name}>
            <input type="checkbox" checked={chosen.includes(name)} onChange={() => turn(name)} />
            <span class="mono cut" title={oneLine(name, 512)}>{oneLine(name, 120)}</span>
            <span class="n muted">{countText(records)}</span>
          </label>
        ))}
        {found.length === 0 && <p class="pad muted">{known.value.length === 0 ? "No log group holds a record yet." : "No log group is called so."}</p>}
        {found.length > SHOWN_MAX && <p class="pad muted">{found.length - SHOWN_MAX} more; write more of the name</p>}
      </div>
      <div class="foot"><button class="linklike" disabled={chosen.length === 0} onClick={() => chooseGroups([])}>All log groups</button></div>
    </div>
  );
}
