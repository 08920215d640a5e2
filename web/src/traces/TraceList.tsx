/* One line a trace: when, what, through which services, how long, what failed. */

import { useLayoutEffect } from "preact/hooks";

import { followLink, go, setParams } from "../address/address.ts";
import type { TraceSummary } from "../api/traces.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { countText, oneLine } from "../parts/text.ts";
import { fullTime, millisOf, partsOf } from "../time/clock.ts";
import { Duration } from "./Figure.tsx";
import { counted } from "./search.ts";
import { cursor, isLoading, loadMore, next, type Sort, sort, traces } from "./list.ts";
import { GroupSelect } from "./GroupSelect.tsx";
import { traceUrl } from "./places.ts";
import { Services } from "./Services.tsx";

const SORTS: [Sort, string][] = [["newest", "Newest"], ["errors", "Errors first"], ["slowest", "Slowest"]];

export function ListTools() {
  return (
    <div class="toolbar">
      <span class="segment" role="group" aria-label="Order">
        {SORTS.map(([name, text]) => (
          <button key={name} aria-pressed={sort.value === name} onClick={() => setParams({ sort: name === "newest" ? "" : name }, true)}>{text}</button>
        ))}
      </span>
      <GroupSelect />
      <span class="grow" />
      <span class="muted wide">heat map of</span>
      <span class="segment wide" role="group" aria-label="Heat map of">
        {(["traces", "spans"] as const).map((name) => (
          <button key={name} aria-pressed={counted.value === name} onClick={() => setParams({ of: name }, true)}>{name === "traces" ? "Traces" : "Spans that match"}</button>
        ))}
      </span>
      <a href="./sampling" data-page="/sampling" onClick={followLink}>Sampling and groups</a>
    </div>
  );
}

export function TraceList() {
  const shown = traces.value;
  const longest = shown.reduce((most, one) => Math.max(most, one.duration_ns), 1);
  useLayoutEffect(() => {
    // Whoever comes back from a trace finds it where it stood.
    document.getElementById(`trace-${cursor.peek()}`)?.scrollIntoView({ block: "center" });
  }, []);
  return (
    <div class="trace-list" tabIndex={0} role="region" aria-label="Traces" aria-busy={isLoading.value} onClick={followLink}>
      <table class="table traces-table">
        <thead><tr>
          <th class="when">time</th><th class="what">root span</th><th class="through">services</th>
          <th class="num few">spans</th><th class="num few">failed</th><th class="num took">duration</th>
        </tr></thead>
        <tbody>{shown.map((one) => <Line key={one.trace_id} one={one} longest={longest} isHere={cursor.value === one.trace_id} />)}</tbody>
      </table>
      {next.value !== null && (
        <p class="more-traces"><button class="control small" disabled={isLoading.value} onClick={() => void loadMore()}>Show more</button></p>
      )}
    </div>
  );
}

function open(event: MouseEvent, id: string, to: string): void {
  cursor.value = id;
  // A click on the link itself is the link's; a selection of text is no click.
  if ((event.target as Element).closest("a") || String(getSelection()) !== "") return;
  go(to);
}

function Line({ one, longest, isHere }: { one: TraceSummary; longest: number; isHere: boolean }) {
  const to = traceUrl(one.trace_id, { span: "", log: "" });
  const time = partsOf(millisOf(one.ts));
  const name = oneLine(one.name, 300) || "no name";
  return (
    <tr id={`trace-${one.trace_id}`} class={`${one.errors > 0 ? "lv-error bad" : ""}${isHere ? " focus" : ""}`} onClick={(event) => open(event, one.trace_id, to)}>
      <td class="when mono" title={fullTime(one.ts)}><span class="muted">{time.minute}:</span>{time.second}.{time.milli}</td>
      <td class="what">
        <a class="mono cut" href={`.${to}`} data-page={to} title={name}>{name}</a>
        {!one.rooted && <span class="muted" title="The root is not stored; the earliest span stands for it"> no root</span>}
        {one.pending > 0 && <span class="state lv-ok"><span class="dot" />running</span>}
      </td>
      <td class="through"><Services services={one.services} first={one.service} /></td>
      <td class="num few"><span class="for-narrow muted">spans </span>{countText(one.spans)}</td>
      <td class="num few">{one.errors > 0 ? <span class="state lv-error"><Glyph name="error" />{countText(one.errors)}</span> : <span class="muted">0</span>}</td>
      <td class="num took"><i class="share-bar" style={{ width: `${(one.duration_ns / longest) * 100}%` }} /><span><Duration ns={one.duration_ns} /></span></td>
    </tr>
  );
}
