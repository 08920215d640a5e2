/* Whether new records come in and are followed; a click turns it around. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { isLive, query } from "../address/address.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { countText } from "../parts/text.ts";
import { fresh, pause, rate, resume, tail } from "../records/feed.ts";

export function toggleLive(): void {
  if (isLive.peek()) pause();
  else resume();
}

export function LivePill() {
  const now = useSignal(Date.now());
  const state = tail.state.value;
  const isWaiting = state.kind === "waiting";
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setInterval(() => { now.value = Date.now(); }, 250);
    return () => clearInterval(timer);
  }, [isWaiting]);
  if (state.kind === "waiting") {
    const left_s = Math.max(0, Math.ceil((state.until_ms - now.value) / 1000));
    return (
      <button class="live stale" onClick={() => tail.retryNow(query.peek())} title="Try now">
        <Glyph name="wait" /><b>Reconnecting</b><span>in {left_s} s</span>
      </button>
    );
  }
  if (!isLive.value) {
    return (
      <button class="live paused" onClick={resume} title="Follow what is new (Space)">
        <Glyph name="pause" /><b>Paused</b>{fresh.value > 0 && <span>{countText(fresh.value)} new</span>}
      </button>
    );
  }
  return (
    <button class="live" onClick={pause} title="Stop following (Space)">
      <span class="dot" /><b>Live</b><span class="muted">{countText(rate.value)}/s</span>
    </button>
  );
}
