/* Above the waterfall what the whole is, below it where its time went. */

import { Glyph } from "../parts/Glyph.tsx";
import { countText, oneLine } from "../parts/text.ts";
import { Duration } from "../traces/Figure.tsx";
import { durationText, shareText } from "../traces/figures.ts";
import { sharesOf } from "./critical.ts";
import { critical, excessOf, isForsaken, type LogChoice, logChoice, readAll, slotOf, SPANS_ALL, trace, tree, usualOf, withCritical } from "./state.ts";
import { showView, view, VIEWS } from "./tables/view.ts";

const SHARES_MAX = 4;
const CHOICES: [LogChoice, string][] = [["none", "No logs"], ["warnings", "Warnings"], ["all", "All logs"]];

export function Toolbar() {
  const told = trace.value;
  const shown = tree.value;
  if (!told || !shown) return <div class="toolbar" />;
  const open = shown.hasOpen ? told.spans.filter((span) => span.pending).length : 0;
  return (
    <div class="toolbar">
      <span><b class="strong"><Duration ns={told.duration_ns} /></b></span>
      <span class="muted"><b class="ink">{countText(told.spans.length)}</b> spans</span>
      <span class="muted wide"><b class="ink">{told.services.length}</b> services</span>
      {told.errors > 0 && <span class="state lv-error"><Glyph name="error" />{countText(told.errors)} failed</span>}
      {open > 0 && !isForsaken.value && <span class="state lv-ok"><span class="dot" />{countText(open)} running</span>}
      <Against />
      <span class="grow" />
      {view.value === "waterfall" && <OfWaterfall />}
      <span class="segment views" role="group" aria-label="View">
        {VIEWS.map(([name, text]) => (
          <button key={name} aria-pressed={view.value === name} onClick={() => showView(name)}>{text}</button>
        ))}
      </span>
    </div>
  );
}

function OfWaterfall() {
  return (
    <>
      <button class="control small" aria-pressed={withCritical.value} onClick={() => { withCritical.value = !withCritical.value; }}>Critical path</button>
      <span class="segment" role="group" aria-label="Records between the spans">
        {CHOICES.map(([choice, text]) => (
          <button key={choice} aria-pressed={logChoice.value === choice} onClick={() => { logChoice.value = choice; }}>{text}</button>
        ))}
      </span>
    </>
  );
}

/* The whole against what is usual for its root. */
function Against() {
  const main = tree.value?.main;
  const known = main && usualOf(main);
  if (!main || !known) return null;
  const excess = excessOf(main);
  return (
    <span class="muted wide against-usual">usual p95 <b class="ink"><Duration ns={known.p95_ns} /></b>
      {excess > 1 && <>, this one <b class="lv-error excess">{excess >= 10 ? excess.toFixed(0) : excess.toFixed(1)}×</b></>}</span>
  );
}

export function Limits() {
  const told = trace.value;
  if (!told || !(told.limited || told.logs_limited)) return null;
  return (
    <div class="notes">
      {told.limited && (
        <div class="note lv-warn" role="status">The first {countText(told.spans.length)} spans are shown; the trace has more.{" "}
          {told.spans.length < SPANS_ALL && <button class="linklike" onClick={readAll}>Show {countText(SPANS_ALL)}</button>}</div>
      )}
      {told.logs_limited && <div class="note lv-warn" role="status">The first {countText(told.logs.length)} records are shown; the trace has more.</div>}
    </div>
  );
}

/* Whose share of the critical path is how large; together they are the root's duration. */
export function Shares() {
  const pieces = critical.value;
  const sum = pieces.reduce((total, piece) => total + piece.to - piece.from, 0);
  if (!withCritical.value || sum <= 0 || view.value === "table") return null;
  const shares = sharesOf(pieces);
  let x = 0;
  return (
    <div class="shares" data-sum-ns={sum}>
      <b class="strong">Critical path</b>
      <svg viewBox="0 0 320 12" preserveAspectRatio="none" aria-hidden="true">
        {shares.map(({ service, ns }) => {
          const width = (ns / sum) * 320;
          const here = x;
          x += width;
          return <rect key={service} class={`series-${slotOf(service)}`} x={here} width={Math.max(1, width - 1)} height="12" fill="var(--c)" />;
        })}
      </svg>
      {shares.slice(0, SHARES_MAX).map(({ service, ns }) => (
        <span class={`legend series-${slotOf(service)}`} key={service}>{oneLine(service, 40)} <b class="ink">{shareText(ns / sum)} %</b></span>
      ))}
      {shares.length > SHARES_MAX && <span class="muted">+{shares.length - SHARES_MAX}</span>}
      <span class="muted sum">sum {durationText(sum)}</span>
    </div>
  );
}
