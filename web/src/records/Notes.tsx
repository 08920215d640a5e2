/* What is wrong, above what is still shown: which thing, which limit, what to do. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { Glyph } from "../parts/Glyph.tsx";
import { visible } from "../parts/text.ts";
import { clockText } from "../time/clock.ts";
import { lengthText } from "../time/range.ts";
import { tail } from "./feed.ts";
import { problem, read_ms } from "./problem.ts";

export function Notes() {
  const wrong = problem.value;
  const isCut = tail.state.value.kind === "waiting";
  if (!wrong && !isCut) return null;
  return (
    <div class="notes">
      {wrong && !wrong.isAbsence && (
        <div class="note lv-error" id="problem" role="alert">
          {wrong.position !== null && <span class="mono">{wrong.position + 1}</span>}
          <span><b class="strong">{visible(wrong.message)}</b>{wrong.hint && `; ${visible(wrong.hint)}`} <span class="muted">The last good result stays.</span></span>
        </div>
      )}
      {(isCut || wrong?.isAbsence) && <Stale />}
    </div>
  );
}

function Stale() {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { now.value = Date.now(); }, 1000);
    return () => clearInterval(timer);
  }, []);
  const age = Math.max(0, now.value - read_ms.value);
  return (
    <div class="note lv-warn" role="status">
      <span class="state lv-warn"><Glyph name="wait" />
        {read_ms.value > 0 ? `of ${clockText(read_ms.value)}, ${lengthText(age)} old` : "nothing read yet"}</span>
      <span>the server does not answer; it is asked again by itself</span>
    </div>
  );
}
