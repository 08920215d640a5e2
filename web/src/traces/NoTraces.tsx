/* No trace to show: what is missing, and what to do about it. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { setParams } from "../address/address.ts";
import { askTraces } from "../api/traces.ts";
import { copy } from "../parts/clipboard.ts";
import { Icon } from "../parts/Icon.tsx";
import { visible } from "../parts/text.ts";
import { run } from "../search/apply.ts";
import { millisOf } from "../time/clock.ts";
import { isRead, traces } from "./list.ts";
import { scope } from "./search.ts";

const EVER = "-520w";
const AROUND_MS = 450_000;
const LINES = 'import clerestory\nwith clerestory.span("checkout", order=88417):\n    clerestory.get_logger("shop").info("order placed")';

type Reason = { kind: "none" } | { kind: "elsewhere"; at_ms: number } | { kind: "search" } | null;

async function reasonOf(q: string): Promise<Reason> {
  const whole = { ...scope.peek(), from: EVER, to: "now" };
  const found = await askTraces({ ...whole, q }, { limit: 1 });
  if (found.traces[0]) return { kind: "elsewhere", at_ms: millisOf(found.traces[0].ts) };
  if (q === "" && whole.group === "") return { kind: "none" };
  const any = await askTraces({ ...whole, q: "", group: "" }, { limit: 1 });
  return { kind: any.traces[0] ? "search" : "none" };
}

export function NoTraces() {
  const reason = useSignal<Reason>(null);
  const { q, from, to, group } = scope.value;
  const isEmpty = isRead.value && traces.value.length === 0;
  useEffect(() => {
    reason.value = null;
    if (isEmpty) reasonOf(q).then((found) => { reason.value = found; }).catch(() => undefined);
  }, [isEmpty, q, from, to, group]);
  const why = reason.value;
  if (!isEmpty || !why) return null;
  if (why.kind === "none") return <First />;
  return (
    <div class="empty" role="status">
      {why.kind === "elsewhere"
        ? <span><b class="strong">No trace {q === "" ? "in this time" : "matches in this time"}.</b>{" "}
          <button class="control small" onClick={() => setParams({ from: String(why.at_ms - AROUND_MS), to: String(why.at_ms + AROUND_MS) }, true)}>Show the newest there is</button></span>
        : <span><b class="strong">No trace matches{group === "" ? "" : ` in the group ${visible(group)}`}.</b>{" "}
          <button class="control small" onClick={() => { if (group !== "") setParams({ group: "" }, true); else run(""); }}>{group === "" ? "Clear the search" : "All groups"}</button></span>}
    </div>
  );
}

function First() {
  const origin = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const lines = `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_ENDPOINT=${origin}`;
  return (
    <div class="first-trace" role="status">
      <h2>No span is stored yet</h2>
      <p class="muted">Three lines make one; it appears here by itself.</p>
      <Lines text={LINES} />
      <p class="muted">A program with OpenTelemetry sends here with two variables and no change:</p>
      <Lines text={lines} />
    </div>
  );
}

function Lines({ text }: { text: string }) {
  return (
    <div class="code">
      <button class="control small copy" onClick={() => copy(text, "Lines")}><Icon name="copy" />Copy</button>
      <pre tabIndex={0} aria-label="Lines to paste">{text}</pre>
    </div>
  );
}
