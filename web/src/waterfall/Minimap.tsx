/* The band of one trace: every span as a line; a drag looks at a part of the time. */

import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";

import { startDrag } from "../parts/drag.ts";
import { countText, oneLine } from "../parts/text.ts";
import { useSize } from "../parts/useSize.ts";
import { durationText } from "../traces/figures.ts";
import { fullTime, millisOf, partsOf } from "../time/clock.ts";
import { ticksOf, timeAt, xOf } from "./scale.ts";
import { failure, isReading, openEnd, slotOf, trace, tree, whole, zoomed } from "./state.ts";
import { endOf, type Tree } from "./tree.ts";

const AXIS_PX = 22;
const DRAG_PX_MIN = 4;
const LINE_PX_MAX = 4;
const TOTAL_PX = 64;

const dragged = signal<[number, number] | null>(null);

export function Minimap() {
  const { element: chart, size } = useSize<SVGSVGElement>([1384, 118]);
  const [width, height] = size.value;
  const shown = tree.value;
  return (
    <section class="band trace-band" aria-label="The whole trace">
      <svg class="chart" ref={chart} role="img" aria-label={shown ? `All ${countText(shown.nodes.length)} spans, ${durationText(shown.length)}` : "The trace, not read yet"}
        onPointerDown={(event) => startBrush(event, width)}>
        {shown && <Chart shown={shown} width={width} height={height} />}
      </svg>
      <Caption />
      {isReading.value && !trace.value && <div class="progress" />}
    </section>
  );
}

function Caption() {
  const told = trace.value;
  if (!told) return <div class="caption"><span>{failure.value === "" ? "Reading" : "No trace to show"}</span></div>;
  const first = told.ts || told.logs[0]?.ts || "";
  const time = partsOf(millisOf(first));
  return (
    <div class="caption">
      <b class="cut">{oneLine(told.name, 200) || "Trace"}</b>
      <span class="mono wide cut">{oneLine(told.trace_id, 64)}</span>
      <b class="wide" title={fullTime(first)}>{time.minute}:{time.second}.{time.milli}</b>
      <span class="grow" />
      {zoomed.value && <button class="linklike" onClick={() => { zoomed.value = null; }}>Show all</button>}
      <span class="wide legends">
        {told.services.slice(0, 7).map((one) => <span class={`legend series-${slotOf(one.name)}`} key={one.name}>{oneLine(one.name, 24)}</span>)}
        {told.services.length > 7 && <span>+{told.services.length - 7}</span>}
      </span>
    </div>
  );
}

/* One path a series: ten thousand spans are eight nodes. */
function linesOf(shown: Tree, range: [number, number], width: number, top: number, base: number, end: number): string[] {
  const paths = new Array<string>(9).fill("");
  const step = Math.min(LINE_PX_MAX, (base - top) / Math.max(1, shown.nodes.length));
  const thick = Math.max(1, step * 0.75).toFixed(1);
  shown.nodes.forEach((node, i) => {
    const x = xOf(node.start, range, width);
    const right = Math.max(x + 2, xOf(endOf(node, end), range, width));
    const series = slotOf(node.span.service);
    paths[series] += `M${x.toFixed(1)} ${(top + i * step).toFixed(1)}H${right.toFixed(1)}v${thick}H${x.toFixed(1)}z`;
  });
  return paths;
}

function Chart({ shown, width, height }: { shown: Tree; width: number; height: number }) {
  const range = whole.value;
  const [top, base] = [27, height - AXIS_PX];
  const end = openEnd.value;
  const paths = useMemo(() => linesOf(shown, range, width, top, base - 1, end), [shown, range[1], width, base, end]);
  const window = dragged.value ?? zoomed.value;
  const [left, right] = (window ?? [0, 0]).map((at) => Math.max(0, Math.min(width, xOf(at, range, width)))) as [number, number];
  const last = xOf(shown.length, range, width);
  // The whole's duration stands before its line, or behind it where there is no room.
  const isBehind = last < TOTAL_PX;
  const taken = isBehind ? [last - 4, last + TOTAL_PX] : [last - TOTAL_PX - 52, last + 4];
  return (
    <>
      <rect width={width} height={window ? height : base} fill={window ? "var(--shade)" : "var(--bg)"} />
      {window && <rect x={left} width={Math.max(1, right - left)} height={base} fill="var(--lit)" />}
      {ticksOf(range, width, width < 500 ? 80 : 120).map((at) => {
        const x = Math.round(xOf(at, range, width)) + 0.5;
        return (
          <g key={at}>
            <path d={`M${x} ${top - 1}V${base}`} stroke="var(--rule-strong)" />
            {(x < (taken[0] ?? 0) || x > (taken[1] ?? 0)) && x < width - 60 && <text class="axis" x={at === 0 ? x : x + 4} y={height - 6}>{at === 0 ? "0" : durationText(at)}</text>}
          </g>
        );
      })}
      {paths.map((path, i) => path && <path key={i} class={`series-${i}`} d={path} fill="var(--c)" />)}
      <path d={`M${last.toFixed(1)} ${top - 3}V${base}`} stroke="var(--horizon)" />
      <text class="axis total" x={isBehind ? last + 4 : last - 4} y={height - 6} text-anchor={isBehind ? "start" : "end"}>{durationText(shown.length)}</text>
      <path d={`M0 ${base + 0.5}H${width}`} stroke="var(--rule-strong)" />
      {window && <path class="edges" d={`M${left} 0V${base}M${right} 0V${base}M${left} ${base + 1.5}H${right}`} stroke="var(--accent)" stroke-width="2" />}
    </>
  );
}

function startBrush(event: PointerEvent, width: number): void {
  if (!tree.peek()) return;
  const range = whole.peek();
  startDrag(event, {
    onMove: ([x], [x0]) => {
      const ends = [x, x0].map((at) => Math.max(range[0], Math.min(range[1], timeAt(at, range, width)))) as [number, number];
      dragged.value = Math.abs(x - x0) < DRAG_PX_MIN ? null : [Math.min(...ends), Math.max(...ends)];
    },
    onEnd: () => {
      if (dragged.peek()) zoomed.value = dragged.peek();
      dragged.value = null;
    },
  });
}
