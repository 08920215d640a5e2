/* The one search bar: an input over a copy of its text, pills at rest, completion below.

     keys -> [search bar] -> address -> feed, overview */

import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { query } from "../address/address.ts";
import { problem } from "../records/problem.ts";
import { Icon } from "../parts/Icon.tsx";
import { run } from "./apply.ts";
import { Completion, optionId } from "./Completion.tsx";
import { type Option, optionsAt } from "./completion-source.ts";
import { handOver } from "./handover.ts";
import { pipeIn } from "./insights.ts";
import { Pills, Underlay } from "./Terms.tsx";
import { parse } from "./parser.ts";

const TYPING_MS = 450;
const ASK_MS = 90;

function isReadable(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function useCompletion() {
  const options = useSignal<Option[]>([]);
  const chosen = useSignal(0);
  const isOpen = useSignal(false);
  const hasMoved = useSignal(false);
  const pending = useRef({ timer: 0, abort: new AbortController() });
  const close = () => {
    clearTimeout(pending.current.timer);
    pending.current.abort.abort();
    isOpen.value = false;
    hasMoved.value = false;
  };
  const ask = (text: string, caret: number) => {
    close();
    pending.current.abort = new AbortController();
    const { signal } = pending.current.abort;
    pending.current.timer = window.setTimeout(async () => {
      const found = await optionsAt(text, caret, signal);
      if (signal.aborted) return;
      options.value = found;
      chosen.value = 0;
      isOpen.value = found.length > 0;
    }, ASK_MS);
  };
  const move = (step: number) => {
    hasMoved.value = true;
    const { length } = options.value;
    chosen.value = (chosen.value + step + length) % length;
  };
  return { options, chosen, isOpen, hasMoved, ask, close, move };
}

export function SearchBar({ placeholder = "Search, e.g. level>=warn service:api duration>250ms" }: { placeholder?: string }) {
  const input = useRef<HTMLInputElement>(null);
  const underlay = useRef<HTMLDivElement>(null);
  const text = useSignal(query.peek());
  const hasFocus = useSignal(false);
  const typing = useRef(0);
  const list = useCompletion();

  // The address may change from elsewhere: a facet, Back, a link.
  useEffect(() => effect(() => {
    if (query.value !== text.peek().trim()) text.value = query.value;
  }), []);

  const setText = (value: string, caret: number) => {
    clearTimeout(typing.current);
    if (pipeIn(value) >= 0) {
      list.close();
      handOver(value);
      return;
    }
    text.value = value;
    typing.current = window.setTimeout(() => {
      if (isReadable(value)) run(value, false);
    }, TYPING_MS);
    list.ask(value, caret);
  };
  const takeOption = (option: Option) => {
    const element = input.current;
    if (!element) return;
    element.value = option.result;
    element.setSelectionRange(option.caret, option.caret);
    setText(option.result, option.caret);
  };
  const submit = () => {
    clearTimeout(typing.current);
    list.close();
    run(text.value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const isOpen = list.isOpen.value;
    const option = list.options.value[list.chosen.value];
    if (event.key === "Enter") {
      if (isOpen && list.hasMoved.value && option) takeOption(option);
      else submit();
    } else if (event.key === "Tab" && isOpen && option && !event.shiftKey) takeOption(option);
    else if (event.key === "ArrowDown" && isOpen) list.move(1);
    else if (event.key === "ArrowUp" && isOpen) list.move(-1);
    else if (event.key === "ArrowDown") list.ask(text.value, input.current?.selectionStart ?? 0);
    else if (event.key === "Escape") {
      if (isOpen) list.close();
      else input.current?.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const scrollAlong = () => {
    if (underlay.current && input.current) underlay.current.scrollLeft = input.current.scrollLeft;
  };
  const wrong = problem.value;
  const isWrong = wrong !== null && wrong.position !== null && wrong.search.trim() === text.value.trim();
  const mark = isWrong ? { position: wrong.position ?? 0, length: wrong.length } : null;

  return (
    <div class={`search${hasFocus.value ? " focus" : ""}`} role="search">
      <Icon name="search" />
      <div class="search-text">
        <div class="underlay" ref={underlay} aria-hidden="true">
          {hasFocus.value ? <Underlay text={text.value} mark={mark} /> : <Pills text={text.value} mark={mark} />}
        </div>
        <input ref={input} class={hasFocus.value ? "" : "at-rest"} value={text.value} id="search" type="text"
          spellcheck={false} autocomplete="off" autocapitalize="off" role="combobox" aria-label="Search"
          aria-autocomplete="list" aria-expanded={list.isOpen.value} aria-controls="completion"
          aria-invalid={isWrong} aria-describedby={isWrong ? "problem" : undefined}
          aria-activedescendant={list.isOpen.value ? optionId(list.chosen.value) : undefined}
          placeholder={placeholder}
          onInput={(event) => setText(event.currentTarget.value, event.currentTarget.selectionStart ?? 0)}
          onFocus={() => { hasFocus.value = true; }}
          onBlur={() => { hasFocus.value = false; list.close(); }}
          onKeyDown={onKeyDown} onScroll={scrollAlong} onKeyUp={scrollAlong} />
      </div>
      {!hasFocus.value && text.value === "" && <span class="end"><kbd class="key">/</kbd></span>}
      {text.value !== "" && !hasFocus.value && (
        <button class="clear" aria-label="Clear the search" onClick={() => { text.value = ""; run(""); }}>
          <Icon name="close" />
        </button>
      )}
      <Completion options={list.options.value} chosen={list.chosen.value} isOpen={list.isOpen.value}
        onTake={takeOption} />
    </div>
  );
}
