/* The row of windows on top: when. Below it the horizon, on which the errors stand. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import type { Histogram } from "../api/types.ts";
import { BAND_CLASSES } from "../parts/level.ts";
import { countText } from "../parts/text.ts";
import { isLoading, resume } from "../records/feed.ts";
import { clockText, partsOf } from "../time/clock.ts";
import { lengthText } from "../time/range.ts";
import { barsOf, type Frame, sumsOf, ticksOf, xOf } from "./bars.ts";
import { dragged, startBrush } from "./brush.ts";
import { band, inWindow, isCounting, lit } from "./overview.ts";

const AXIS_PX = 22;

/** `caption` takes the place of the counts where the band belongs to something else than a search. */
export function Band({ caption }: { caption?: ComponentChildren }) {
  const chart = useRef<SVGSVGElement>(null);
  const size = useSignal<[number, number]>([1384, 118]);
  useLayoutEffect(() => {
    const element = chart.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => {
      size.value = [element.clientWidth, element.clientHeight];
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const [width, height] = size.value;
  const frame = { width, top: height > 80 ? 28 : 24, base: height - AXIS_PX };
  const counts = band.value;
  return (
    <section class="band" aria-label="Records over time">
      <svg class="chart" ref={chart} role="img" aria-label={summaryOf(counts)} onPointerDown={startBrush}>
        {counts && <Chart counts={counts} frame={frame} height={height} />}
      </svg>
      {caption ? <div class="caption">{caption}<Legend /></div> : <Caption />}
      {(isLoading.value || isCounting.value) && <div class="progress" />}
    </section>
  );
}

function summaryOf(counts: Histogram | null): string {
  if (!counts) return "Records over time, not read yet";
  const sums = sumsOf(counts).map((sum, i) => `${countText(sum)} ${BAND_CLASSES[i]}`);
  return `Records from ${clockText(counts.from_ms)} to ${clockText(counts.to_ms)}: ${sums.join(", ")}`;
}

function Chart({ counts, frame, height }: { counts: Histogram; frame: Frame; height: number }) {
  const window = dragged.value ?? lit.value;
  const bars = barsOf(counts, frame, window);
  const { width, base } = frame;
  return (
    <>
      {window ? <Panes counts={counts} window={window} frame={frame} height={height} />
        : <rect width={width} height={base} fill="var(--bg)" />}
      <NoData counts={counts} frame={frame} />
      <Axis counts={counts} frame={frame} height={height} />
      {bars.shaded.map((path, i) => path && (
        <path key={`s${i}`} d={path} fill={`var(--bar-${BAND_CLASSES[i]})`} opacity=".5" />
      ))}
      {bars.lit.map((path, i) => path && (
        <path key={`l${i}`} class={`bars-${BAND_CLASSES[i]}`} d={path} fill={`var(--bar-${BAND_CLASSES[i]})`} />
      ))}
      {window && <Edges counts={counts} window={window} frame={frame} />}
    </>
  );
}

interface WindowProps {
  counts: Histogram;
  window: [number, number];
  frame: Frame;
}

function Panes({ counts, window, frame, height }: WindowProps & { height: number }) {
  const [left, right] = window.map((at) => xOf(at, counts, frame.width)) as [number, number];
  return (
    <>
      <rect width={frame.width} height={height} fill="var(--shade)" />
      <rect class="window" x={left} width={Math.max(1, right - left)} height={frame.base} fill="var(--lit)" />
    </>
  );
}

function Edges({ counts, window, frame }: WindowProps) {
  const { base } = frame;
  const [left, right] = window.map((at) => xOf(at, counts, frame.width)) as [number, number];
  const middle = Math.round(base / 2);
  const path = [left, right].map((x) => `M${x} 0V${base + 1}`).join("");
  const grips = [left, right].map((x) => `M${x - 4} ${middle - 10}h8v20h-8z`).join("");
  const lines = [left, right].map((x) => `M${x - 1} ${middle - 4}v8M${x + 1} ${middle - 4}v8`).join("");
  return (
    <g class="edges">
      <path d={path} stroke="var(--accent)" stroke-width="2" />
      <path d={grips} fill="var(--accent)" />
      <path d={lines} stroke="var(--bg)" />
      <path d={`M${left} ${base + 1.5}H${right}`} stroke="var(--accent)" stroke-width="3" />
      <EdgeTimes window={window} left={left} right={right} frame={frame} />
    </g>
  );
}

const LABEL_PX = 58;

/* The two times stand inside the window when they fit, else outside it. */
function EdgeTimes({ window, left, right, frame }: { window: [number, number]; left: number; right: number; frame: Frame }) {
  if (frame.width < 500) return null;
  const y = frame.base + 16;
  const isWide = right - left > LABEL_PX * 2;
  const fitsLeft = isWide || left < LABEL_PX;
  const fitsRight = isWide || frame.width - right < LABEL_PX;
  return (
    <>
      <text class="axis on" x={fitsLeft ? left + 4 : left - 4} y={y} text-anchor={fitsLeft ? "start" : "end"}>
        {clockText(window[0])}
      </text>
      <text class="axis on" x={fitsRight ? right - 4 : right + 4} y={y} text-anchor={fitsRight ? "end" : "start"}>
        {clockText(window[1])}
      </text>
    </>
  );
}

/* Before the store's oldest record nothing is known: that is hatch, never zero bars. */
function NoData({ counts, frame }: { counts: Histogram; frame: Frame }) {
  const oldest = counts.oldest_ms ?? Infinity;
  const known = Math.max(0, Math.min(frame.width, xOf(Math.min(oldest, counts.to_ms), counts, frame.width)));
  const future = Math.min(frame.width, xOf(Math.max(counts.from_ms, Date.now()), counts, frame.width));
  return (
    <>
      <defs>
        <pattern id="no-data" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path d="M.5 0V6" stroke="var(--hatch)" />
        </pattern>
      </defs>
      {known > 1 && <rect class="no-data" y={frame.top} width={known} height={frame.base - frame.top} fill="url(#no-data)" />}
      {frame.width - future > 1 && (
        <rect class="no-data" x={future} y={frame.top} width={frame.width - future}
          height={frame.base - frame.top} fill="url(#no-data)" />
      )}
    </>
  );
}

function tickText(at_ms: number, span_ms: number): string {
  const parts = partsOf(at_ms);
  if (span_ms > 2 * 86_400_000) return parts.date.slice(5);
  return span_ms < 300_000 ? `${parts.minute}:${parts.second}` : parts.minute;
}

function Axis({ counts, frame, height }: { counts: Histogram; frame: Frame; height: number }) {
  const { width, top, base } = frame;
  const span = counts.to_ms - counts.from_ms;
  const ticks = ticksOf(counts, width, width < 500 ? 100 : 150);
  const window = dragged.value ?? lit.value;
  const taken = window?.map((at) => xOf(at, counts, width));
  const isFree = (x: number) => !taken || x + 44 < (taken[0] ?? 0) - LABEL_PX || x > (taken[1] ?? 0) + LABEL_PX;
  const mullions = ticks.map((at) => `M${Math.round(xOf(at, counts, width)) + 0.5} ${top}V${base}`).join("");
  return (
    <>
      <path d={`${mullions}M0 ${base + 0.5}H${width}`} stroke="var(--rule-strong)" />
      {ticks.map((at) => ({ at, x: xOf(at, counts, width) }))
        .filter(({ x }) => x < width - 110 && (width < 500 || isFree(x)))
        .map(({ at, x }) => (
          <text class="axis" key={at} x={Math.max(12, x + 4)} y={height - 6}>{tickText(at, span)}</text>
        ))}
      {(!taken || isFree(width - 90)) && (
        <text class="axis" x={width - 12} y={height - 6} text-anchor="end">{endText(counts)}</text>
      )}
    </>
  );
}

function endText(counts: Histogram): string {
  const isNow = Math.abs(Date.now() - counts.to_ms) < counts.step_ms * 2 + 15_000;
  return `${isNow ? "now " : ""}${partsOf(counts.to_ms).minute}`;
}

function Legend() {
  const counts = inWindow.value;
  if (!counts) return null;
  const sums = sumsOf(counts);
  return (
    <span class="wide legends">
      {BAND_CLASSES.map((name, i) => (
        <span class={`legend c-${name}`} key={name}>{name} <b>{countText(sums[i] ?? 0)}</b></span>
      ))}
      <span>{lengthText(band.value?.step_ms ?? counts.step_ms)} a bar</span>
    </span>
  );
}

function Caption() {
  const counts = inWindow.value;
  if (!counts) return <div class="caption"><span>Counting</span></div>;
  return (
    <div class="caption">
      <span><b class="matched">{countText(counts.matched)}</b> of {countText(counts.total)} records</span>
      <Legend />
      {lit.value && <button class="linklike" onClick={resume}>Show now</button>}
    </div>
  );
}
