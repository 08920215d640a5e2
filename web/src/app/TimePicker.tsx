/* The range: earlier, its edges and length, later; a menu of usual ranges and exact edges. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { endsNow, from, path, setParams, to } from "../address/address.ts";
import { setWindow } from "../band/brush.ts";
import { lit } from "../band/overview.ts";
import { Icon } from "../parts/Icon.tsx";
import { say } from "../parts/clipboard.ts";
import { clockText, partsOf, zoneInForce } from "../time/clock.ts";
import { lengthText, resolveEnd } from "../time/range.ts";

const USUAL: [string, string][] = [
  ["-5m", "5 m"], ["-15m", "15 m"], ["-30m", "30 m"], ["-1h", "1 h"], ["-3h", "3 h"],
  ["-12h", "12 h"], ["-24h", "24 h"], ["-7d", "7 d"], ["-30d", "30 d"],
];

function edges(): [number, number] {
  const now_ms = Date.now();
  return [resolveEnd(from.peek(), now_ms), resolveEnd(to.peek(), now_ms)];
}

/** Move the window by its own length: -1 earlier, 1 later. */
export function shiftWindow(direction: 1 | -1): void {
  const [start, end] = edges();
  const length = end - start;
  const next = Math.min(Date.now(), end + direction * length);
  setWindow([next - length, next]);
}

/** Make the window longer (2) or shorter (0.5) around its middle. */
export function zoom(factor: number): void {
  const [start, end] = edges();
  const length = Math.max(10, (end - start) * factor);
  const middle = (start + end) / 2;
  const last = Math.min(Date.now(), Math.ceil(middle + length / 2));
  setWindow([last - Math.ceil(length), last]);
}

function rangeText(): [string, string] {
  if (endsNow.value && from.value.startsWith("-")) {
    const [start, end] = edges();
    return [`Last ${lengthText(end - start)}`, zoneInForce()];
  }
  const [start, end] = lit.value ?? edges();
  const days = [start, end].map((at) => partsOf(at).date);
  const isToday = days[0] === days[1] && days[0] === partsOf(Date.now()).date;
  const texts = [start, end].map((at, i) => `${isToday ? "" : `${days[i]?.slice(5)} `}${clockText(at)}`);
  return [texts.join(" – "), lengthText(end - start)];
}

export function TimePicker() {
  const isOpen = useSignal(false);
  const element = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!isOpen.value) return undefined;
    const close = (event: Event) => {
      if (!element.current?.contains(event.target as Node)) isOpen.value = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, [isOpen.value]);
  const [text, length] = rangeText();
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    isOpen.value = false;
    element.current?.querySelector<HTMLElement>(".range")?.focus();
    event.stopPropagation();
  };
  return (
    <span class="anchor time-picker" ref={element} onKeyDown={onKeyDown}>
      <span class="segment tall" role="group" aria-label="Time">
        <button aria-label="Earlier" title="Earlier ([)" onClick={() => shiftWindow(-1)}><Icon name="left" /></button>
        <button class="range" aria-expanded={isOpen.value} aria-haspopup="dialog" onClick={() => { isOpen.value = !isOpen.value; }}>
          <Icon name="clock" />{text} <span class="muted">{length}</span>
        </button>
        <button aria-label="Later" title="Later (])" onClick={() => shiftWindow(1)}><Icon name="right" /></button>
      </span>
      {isOpen.value && <RangeMenu onDone={() => { isOpen.value = false; }} />}
    </span>
  );
}

function inputText(ms: number): string {
  const { date, minute, second } = partsOf(ms, "local");
  return `${date}T${minute}:${second}`;
}

function RangeMenu({ onDone }: { onDone: () => void }) {
  const first = useRef<HTMLInputElement>(null);
  const last = useRef<HTMLInputElement>(null);
  const [start, end] = edges();
  const choose = (value: string) => {
    setParams({ from: value === "-15m" ? "" : value, to: "", live: path.peek() === "/logs" ? "1" : "" }, true);
    onDone();
  };
  const apply = (event: Event) => {
    event.preventDefault();
    const range = [first.current?.value, last.current?.value].map((text) => Date.parse(text ?? "")) as [number, number];
    if (!(range[0] < range[1])) {
      say("the range must end after it begins");
      return;
    }
    setWindow(range);
    onDone();
  };
  return (
    <div class="menu range-menu" role="dialog" aria-label="Time range">
      <h3>Last</h3>
      <div class="usual">
        {USUAL.map(([value, text]) => (
          <button class="control small" key={value} aria-pressed={endsNow.value && from.value === value} onClick={() => choose(value)}>{text}</button>
        ))}
      </div>
      <form onSubmit={apply}>
        <label>From <input class="control" ref={first} type="datetime-local" step="1" defaultValue={inputText(start)} /></label>
        <label>To <input class="control" ref={last} type="datetime-local" step="1" defaultValue={inputText(end)} /></label>
        <button class="control small primary" type="submit">Look there</button>
      </form>
      <div class="foot">
        <button class="linklike" onClick={() => zoom(2)}>Zoom out</button>
        <button class="linklike" onClick={() => zoom(0.5)}>Zoom in</button>
        <span class="grow" />
        <button class="linklike" onClick={() => setParams({ tz: zoneInForce() === "utc" ? "local" : "utc" })}>
          {zoneInForce() === "utc" ? "Show local time" : "Show UTC"}
        </button>
      </div>
    </div>
  );
}
