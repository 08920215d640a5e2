/* The band of the pages of traces: time across, duration upwards, errors in their colour. */

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { query, setParams } from "../address/address.ts";
import type { HeatMap } from "../api/traces.ts";
import { ticksOf } from "../band/bars.ts";
import { lit } from "../band/overview.ts";
import { startDrag } from "../parts/drag.ts";
import { countText } from "../parts/text.ts";
import { useSize } from "../parts/useSize.ts";
import { clockText, partsOf } from "../time/clock.ts";
import { adopt } from "../style/adopt.ts";
import styles from "../style/heat.css?inline";
import { Duration } from "./Figure.tsx";
import { durationText, shareText } from "./figures.ts";
import { durationAt, figures, type Frame, heat, isCounting, type Scale, scaleOf, type Tile, tilesOf, yOf } from "./heat.ts";
import { boundsOf, counted, withBounds, withoutBounds } from "./search.ts";

adopt(styles);

const AXIS_PX = 22;
const DRAG_PX_MIN = 4;
const STEPS = 6;

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const dragged = signal<Box | null>(null);
const pointed = signal("");

export function HeatBand({ children }: { children?: ComponentChildren }) {
  const { element: chart, size } = useSize<SVGSVGElement>([1384, 118]);
  const [width, height] = size.value;
  const map = heat.value;
  const frame = { width, top: height > 80 ? 28 : 24, base: height - AXIS_PX };
  const bounds = boundsOf(query.value);
  const scale = map && scaleOf(map, bounds, frame.base - frame.top);
  return (
    <section class="band heat-band" aria-label="Durations over time">
      <svg class="chart" ref={chart} role="img" aria-label={summaryOf(figures.value)}
        onPointerDown={(event) => map && scale && startBrush(event, map, scale, frame)}
        onPointerMove={(event) => map && scale && point(event, map, scale, frame)} onPointerLeave={() => { pointed.value = ""; }}>
        {map && scale && <Chart map={map} scale={scale} frame={frame} height={height} bounds={bounds} />}
      </svg>
      <div class="caption">{children ?? <Figures />}<span class="grow" /><span class="wide">{pointed.value}</span><WayOut bounds={bounds} /></div>
      {isCounting.value && <div class="progress" />}
    </section>
  );
}

function summaryOf(now: HeatMap | null): string {
  if (!now) return "Durations over time, not counted yet";
  return `${countText(now.matched)} ${counted.value} from ${clockText(now.from_ms)} to ${clockText(now.to_ms)}, ${countText(now.errors)} failed; `
    + `half take at most ${durationText(now.p50_ns)}, 95 of 100 at most ${durationText(now.p95_ns)}, 99 of 100 at most ${durationText(now.p99_ns)}`;
}

function Figures() {
  const now = figures.value;
  if (!now) return <span>Counting</span>;
  const isWhole = counted.value === "traces";
  return (
    <>
      <span><b class="matched">{countText(now.matched)}</b> {isWhole ? "traces" : "spans match"}</span>
      <span class="legend c-error">failed <b>{countText(now.errors)}</b>{now.errors > 0 && ` ${shareText(now.errors / Math.max(1, now.matched))} %`}</span>
      {now.matched > 0 && (["p50", "p95", "p99"] as const).map((name) => (
        <span class={name === "p95" ? "" : "wide"} key={name}>{name} <b><Duration ns={now[`${name}_ns`]} /></b></span>
      ))}
    </>
  );
}

/* What a brush has set, each to be taken back by itself. */
function WayOut({ bounds }: { bounds: [number, number] | null }) {
  return (
    <>
      {bounds && <button class="linklike" onClick={() => setParams({ q: withoutBounds(query.peek()) }, true)}>All durations</button>}
      {lit.value && <button class="linklike" onClick={() => setParams({ from: "", to: "" }, true)}>Show now</button>}
    </>
  );
}

interface ChartProps {
  map: HeatMap;
  scale: Scale;
  frame: Frame;
  height: number;
  bounds: [number, number] | null;
}

function xOf(at_ms: number, map: HeatMap, frame: Frame): number {
  const x = ((at_ms - map.from_ms) / Math.max(1, map.to_ms - map.from_ms)) * frame.width;
  return Math.max(0, Math.min(frame.width, x));
}

function windowOf({ map, scale, frame, bounds }: ChartProps): Box | null {
  const time = lit.value;
  if (!time && !bounds) return null;
  const [left, right] = time ? time.map((at) => xOf(at, map, frame)) as [number, number] : [0, frame.width];
  const bottom = bounds && bounds[0] > 0 ? yOf(bounds[0], scale, frame) : frame.base;
  const top = bounds && Number.isFinite(bounds[1]) ? yOf(bounds[1], scale, frame) : 0;
  return { left, right, top, bottom };
}

function Chart(props: ChartProps) {
  const { map, scale, frame, height } = props;
  const box = dragged.value ?? windowOf(props);
  return (
    <>
      <rect width={frame.width} height={box ? height : frame.base} fill={box ? "var(--shade)" : "var(--bg)"} />
      {box && <rect x={box.left} y={box.top} width={Math.max(1, box.right - box.left)} height={Math.max(1, box.bottom - box.top)} fill="var(--lit)" />}
      {map.cells.length === 0 && query.value === "" && <NothingYet frame={frame} />}
      <Grid map={map} scale={scale} frame={frame} height={height} />
      <Tiles tiles={tilesOf(map, scale, frame)} />
      <Labels scale={scale} frame={frame} />
      {box && <path class="edges" fill="none" stroke="var(--accent)" stroke-width="2"
        d={`M${box.left} ${Math.max(1, box.top)}H${box.right}V${box.bottom}H${box.left}z`} />}
    </>
  );
}

/* Where nothing was told there is hatch, which no zero looks like. */
function NothingYet({ frame }: { frame: Frame }) {
  return (
    <>
      <defs>
        <pattern id="no-spans" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M.5 0V6" stroke="var(--hatch)" /></pattern>
      </defs>
      <rect class="no-data" y={frame.top} width={frame.width} height={frame.base - frame.top} fill="url(#no-spans)" />
    </>
  );
}

/* One path a strength: thousands of cells are a dozen nodes. */
function Tiles({ tiles }: { tiles: Tile[] }) {
  const calm = new Array<string>(STEPS).fill("");
  let failed = "";
  for (const tile of tiles) {
    const { x, y, width, height } = tile;
    // A single failure among thousands must still be seen.
    const wrong = tile.errors === 0 ? 0 : Math.max(Math.min(2, width), (tile.errors / tile.count) * width);
    const step = Math.min(STEPS - 1, Math.floor(tile.weight * STEPS));
    if (width - wrong > 0.5) calm[step] += `M${x.toFixed(1)} ${y.toFixed(1)}h${(width - wrong).toFixed(1)}v${height.toFixed(1)}h${(wrong - width).toFixed(1)}z`;
    if (wrong > 0) failed += `M${(x + width - wrong).toFixed(1)} ${y.toFixed(1)}h${wrong.toFixed(1)}v${height.toFixed(1)}h${(-wrong).toFixed(1)}z`;
  }
  return (
    <>
      {calm.map((path, i) => path && <path class="calm" key={i} d={path} fill="var(--bar-debug)" opacity={0.3 + (0.7 * i) / (STEPS - 1)} />)}
      {failed && <path class="failed" d={failed} fill="var(--bar-error)" />}
    </>
  );
}

function Grid({ map, frame, height }: { map: HeatMap; scale: Scale; frame: Frame; height: number }) {
  const ticks = ticksOf(map, frame.width, frame.width < 500 ? 100 : 150);
  const span = map.to_ms - map.from_ms;
  const lines = ticks.map((at) => `M${Math.round(xOf(at, map, frame)) + 0.5} ${frame.top}V${frame.base}`).join("");
  return (
    <>
      <path d={`${lines}M0 ${frame.base + 0.5}H${frame.width}`} stroke="var(--rule-strong)" />
      {ticks.filter((at) => xOf(at, map, frame) < frame.width - 110).map((at) => (
        <text class="axis" key={at} x={Math.max(12, xOf(at, map, frame) + 4)} y={height - 6}>{timeText(at, span)}</text>
      ))}
      <text class="axis" x={frame.width - 12} y={height - 6} text-anchor="end">{timeText(map.to_ms, span)}</text>
    </>
  );
}

function timeText(at_ms: number, span_ms: number): string {
  const parts = partsOf(at_ms);
  if (span_ms > 2 * 86_400_000) return parts.date.slice(5);
  return span_ms < 300_000 ? `${parts.minute}:${parts.second}` : parts.minute;
}

/* Powers of ten, at least as far apart as their labels are high. */
function Labels({ scale, frame }: { scale: Scale; frame: Frame }) {
  const labels: { ns: number; y: number }[] = [];
  for (let ns = 1; ns < 1e15; ns *= 10) {
    const y = yOf(ns, scale, frame);
    const last = labels.at(-1)?.y ?? frame.base + 8;
    if (y < frame.base - 6 && y > frame.top + 4 && last - y >= 16) labels.push({ ns, y });
  }
  return (
    <g class="heat-labels">
      {labels.map(({ ns, y }) => (
        <g key={ns}>
          <path d={`M0 ${y.toFixed(1)}H6`} stroke="var(--border)" />
          <text class="axis" x="10" y={y + 4}>{durationText(ns)}</text>
        </g>
      ))}
    </g>
  );
}

function point(event: PointerEvent, map: HeatMap, scale: Scale, frame: Frame): void {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const tile = tilesOf(map, scale, frame).find((one) => x >= one.x && x <= one.x + one.width + 1 && y >= one.y && y <= one.y + one.height + 1);
  if (!tile) { pointed.value = ""; return; }
  const at = map.from_ms + (tile.x / frame.width) * (map.to_ms - map.from_ms);
  const [low, high] = [tile.y + tile.height, tile.y].map((edge) => durationText(durationAt(edge, scale, frame)));
  pointed.value = `${clockText(at)}, ${low} to ${high}: ${countText(tile.count)}${tile.errors > 0 ? `, ${countText(tile.errors)} failed` : ""}`;
}

/* A drag is two windows at once; along one direction only it is one. */
function startBrush(event: PointerEvent, map: HeatMap, scale: Scale, frame: Frame): void {
  startDrag(event, {
    onMove: ([x1, y1], [x0, y0]) => {
      const x = Math.max(0, Math.min(frame.width, x1));
      const y = Math.max(frame.top, Math.min(frame.base, y1));
      const [wide, high] = [Math.abs(x - x0) > DRAG_PX_MIN, Math.abs(y - y0) > DRAG_PX_MIN];
      dragged.value = !wide && !high ? null : {
        left: wide ? Math.min(x, x0) : 0, right: wide ? Math.max(x, x0) : frame.width,
        top: high ? Math.min(y, y0) : 0, bottom: high ? Math.max(y, y0) : frame.base,
      };
    },
    onEnd: () => {
      const box = dragged.peek();
      dragged.value = null;
      if (box) narrow(box, map, scale, frame);
    },
  });
}

/* Whole cells only: half a cell's count would be a figure that nobody was shown. */
function narrow(box: Box, map: HeatMap, scale: Scale, frame: Frame): void {
  const changes: Record<string, string> = {};
  if (box.left > 0 || box.right < frame.width) {
    const [first, last] = [box.left, box.right].map((x) => map.from_ms + (x / frame.width) * (map.to_ms - map.from_ms)) as [number, number];
    changes.from = String(Math.floor(first / map.step_ms) * map.step_ms);
    changes.to = String(Math.ceil(last / map.step_ms) * map.step_ms);
  }
  if (box.top > 0 || box.bottom < frame.base) {
    const high = (frame.base - frame.top) / scale.rows;
    const bottom = frame.base - Math.floor((frame.base - box.bottom) / high) * high;
    const top = box.top <= 0 ? 0 : frame.base - Math.ceil((frame.base - box.top) / high) * high;
    const bounds: [number, number] = [
      bottom >= frame.base ? 1 : durationAt(bottom, scale, frame), top <= frame.top + 0.5 ? Infinity : durationAt(top, scale, frame),
    ];
    changes.q = withBounds(query.peek(), bounds, counted.peek());
  }
  setParams(changes, true);
}
