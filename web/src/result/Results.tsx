/* What came of the query: how much was read, the drawing, the rows; or what to begin with. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { setParams } from "../address/address.ts";
import type { ExportFormat, Progress } from "../api/insights.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { countText, sizeParts, visible } from "../parts/text.ts";
import { replace } from "../query/question.ts";
import { exportAs, failure, isRunning, isStale, type Outcome, outcome, progress, run } from "../query/run.ts";
import { SAMPLES } from "../query/samples.ts";
import { lengthText } from "../time/range.ts";
import { ChartView, viewOf, ViewSwitch } from "./ChartView.tsx";
import { ResultTable } from "./ResultTable.tsx";
import { rolesOf } from "../chart/series.ts";

const FORMATS: [ExportFormat, string][] = [["csv", "CSV"], ["json", "JSON"], ["ndjson", "NDJSON"], ["parquet", "Parquet"]];

export function Results() {
  const shown = outcome.value;
  return (
    <section class={`results${isStale.value ? " stale" : ""}`} aria-label="Results" aria-busy={isRunning.value}>
      {isRunning.value && <div class="progress" />}
      {failure.value && (
        <div class="note lv-error" role="alert" id="failure"><span><b class="strong">{visible(failure.value)}</b>
          {shown && <span class="muted"> The last good result stays.</span>}</span></div>
      )}
      {shown ? <Shown shown={shown} /> : !isRunning.value && <Samples />}
      <div class="hidden-h1" role="status" aria-live="polite">{spoken(shown)}</div>
    </section>
  );
}

function spoken(shown: Outcome | null): string {
  if (isRunning.value) return "The query runs";
  return shown ? `${countText(shown.result.rows.length)} rows` : "";
}

/** "116,790 of 4,211,880 records matched, 312 MB read in 0.41 s", as it stands on the band. */
export function Figures() {
  const now: Progress | null = isRunning.value ? progress.value : (outcome.value?.result.statistics ?? null);
  if (!now) return <span>{isRunning.value ? "Asking" : "Nothing was run yet"}</span>;
  const [size, unit] = sizeParts(now.bytes_scanned);
  return (
    <>
      {now.records_matched === null
        ? <span><b class="scanned-records">{countText(now.records_scanned)}</b> records read</span>
        : <span><b class="matched-records">{countText(now.records_matched)}</b> of <b class="scanned-records">{countText(now.records_scanned)}</b> records matched</span>}
      <span><b>{size}</b> {unit} read in <b>{secondsText(now.seconds)}</b> s</span>
    </>
  );
}

function secondsText(seconds: number): string {
  return seconds >= 100 ? seconds.toFixed(0) : seconds.toFixed(seconds < 10 ? 2 : 1);
}

function Shown({ shown }: { shown: Outcome }) {
  const { result } = shown;
  const roles = rolesOf(result);
  const view = viewOf(shown, roles);
  return (
    <>
      <div class="result-tools">
        <b class="strong"><span class="row-count">{countText(result.rows.length)}</span> {result.rows.length === 1 ? "row" : "rows"}</b>
        {result.limited && <span class="lv-warn state">cut at the limit of {countText(result.limit)}</span>}
        {isStale.value && <Age at_ms={shown.at_ms} />}
        <span class="grow" />
        <ViewSwitch view={view} roles={roles} />
        <span class="wide muted">Export</span>
        <span class="segment" role="group" aria-label="Export">
          {FORMATS.map(([format, name]) => <button key={format} onClick={() => void exportAs(format)}>{name}</button>)}
        </span>
      </div>
      {result.warnings?.map((text) => <div class="note lv-warn" key={text}>{visible(text)}</div>)}
      <ChartView shown={shown} view={view} />
      {result.rows.length > 0 ? <ResultTable result={result} /> : <NoRows shown={shown} />}
    </>
  );
}

function Age({ at_ms }: { at_ms: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { now.value = Date.now(); }, 1000);
    return () => clearInterval(timer);
  }, []);
  return <span class="state lv-warn"><Glyph name="wait" />of the query before, {lengthText(Math.max(1000, now.value - at_ms))} old</span>;
}

function NoRows({ shown }: { shown: Outcome }) {
  const { from, to } = shown.question;
  const length = Number(to) - Number(from);
  return (
    <div class="nothing">
      <p>No record of these {lengthText(length)} matches.</p>
      {length < 86_400_000 && <button class="control small" onClick={() => setParams({ from: "-24h", to: "" }, true)}>Look at the last 24 h</button>}
    </div>
  );
}

function Samples() {
  const begin = (query: string) => {
    replace(query);
    void run();
  };
  return (
    <div class="samples">
      <h2>Queries to begin with</h2>
      <p class="muted">The language is that of CloudWatch Logs Insights. Nothing was run yet.</p>
      <ul>
        {SAMPLES.map(({ name, query }) => (
          <li key={name}>
            <button onClick={() => begin(query)}><b class="strong">{name}</b><code>{query}</code></button>
          </li>
        ))}
      </ul>
    </div>
  );
}
