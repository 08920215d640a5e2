/* Figures over time as lines or stacked bars, over the whole range that was asked about. */

import { type Signal, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { ticksOf } from "../band/bars.ts";
import { setWindow } from "../band/brush.ts";
import { visible } from "../parts/text.ts";
import { partsOf } from "../time/clock.ts";
import { axisText, figureText, type Scale, scaleOf } from "./scale.ts";
import type { Series, TimeData } from "./series.ts";
import { Tip } from "./Tip.tsx";

const DASHES = ["", "6 3", "2 2", "8 2 2 2", "", "10 4", "3 3", "12 3 3 3"];
const AXIS_PX = 24;
const LEFT_PX = 56;
const TOP_PX = 12;
const RIGHT_PX = 20;
const DOTS_MAX = 60;
const DRAG_PX_MIN = 3;

interface Props {
  data: TimeData;
  edges: [number, number];
  look: "line" | "bars";
  hidden: ReadonlySet<string>;
  title: string;
}

export interface Frame {
  width: number;
  height: number;
  base: number;
  x: (at_ms: number) => number;
  y: (value: number) => number;
  /** The moment at a place of the drawing. */
  at: (x: number) => number;
}

export function useSize(initial: [number, number]) {
  const element = useRef<HTMLDivElement>(null);
  const size = useSignal(initial);
  useLayoutEffect(() => {
    const box = element.current;
    if (!box) return undefined;
    const measure = () => { size.value = [box.clientWidth || initial[0], box.clientHeight || initial[1]]; };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  return { element, size: size.value };
}

function heights(series: Series[], count: number, look: Props["look"]): number[] {
  if (look === "line") return series.flatMap((one) => one.values.filter((value): value is number => value !== null));
  return Array.from({ length: count }, (_, i) => series.reduce((sum, one) => sum + Math.max(0, one.values[i] ?? 0), 0));
}

function frameOf(size: [number, number], edges: [number, number], scale: Scale): Frame {
  const [width, height] = size;
  const base = height - AXIS_PX;
  const span = Math.max(1, edges[1] - edges[0]);
  return {
    width, height, base,
    x: (at_ms) => LEFT_PX + ((at_ms - edges[0]) / span) * (width - LEFT_PX - RIGHT_PX),
    at: (x) => edges[0] + ((Math.max(LEFT_PX, Math.min(width - RIGHT_PX, x)) - LEFT_PX) / (width - LEFT_PX - RIGHT_PX)) * span,
    y: (value) => base - ((value - scale.low) / (scale.high - scale.low)) * (base - TOP_PX),
  };
}

/* Bins begin before the range that they are counted in; the drawing begins with the first bin. */
function domainOf(data: TimeData, edges: [number, number]): [number, number] {
  const first = data.times_ms[0] ?? edges[0];
  const last = (data.times_ms.at(-1) ?? edges[1]) + data.step_ms;
  return [Math.min(edges[0], first), Math.max(edges[1], last)];
}

export function TimeChart({ data, edges, look, hidden, title }: Props) {
  const { element, size } = useSize([960, 208]);
  const at = useSignal(-1);
  const chosen = useSignal<[number, number] | null>(null);
  const shown = data.series.filter((one) => !hidden.has(one.name));
  const scale = scaleOf(heights(shown, data.times_ms.length, look), 4);
  const domain = domainOf(data, edges);
  const frame = frameOf(size, domain, scale);
  const half = look === "bars" ? data.step_ms / 2 : 0;
  const nearest = (x: number) => {
    const gaps = data.times_ms.map((time) => Math.abs(frame.x(time + half) - x));
    at.value = gaps.indexOf(Math.min(...gaps));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    at.value = Math.max(0, Math.min(data.times_ms.length - 1, at.value < 0 ? 0 : at.value + step));
    event.preventDefault();
    event.stopPropagation();
  };
  const onPointerDown = (event: PointerEvent) => startZoom(event, frame, data, chosen);
  const time = data.times_ms[at.value];
  return (
    <div class="plot" ref={element} tabIndex={0} role="group" aria-label={`${title}, arrow keys read it out`}
      onPointerMove={(event) => nearest(event.clientX - event.currentTarget.getBoundingClientRect().left)}
      onPointerDown={onPointerDown} onPointerLeave={() => { at.value = -1; }} onBlur={() => { at.value = -1; }} onKeyDown={onKeyDown}>
      <svg role="img" aria-label={summaryOf(title, data, shown)}>
        {chosen.value && <rect class="chosen" x={frame.x(chosen.value[0])} y={TOP_PX} width={frame.x(chosen.value[1]) - frame.x(chosen.value[0])}
          height={frame.base - TOP_PX} fill="var(--selected)" />}
        <Grid frame={frame} scale={scale} domain={domain} />
        {look === "line" ? shown.map((one) => (
          <Line key={one.name} series={one} index={data.series.indexOf(one)} times={data.times_ms} frame={frame} />
        )) : <Stacks series={shown} data={data} frame={frame} />}
        {time !== undefined && <path d={`M${frame.x(time + half)} ${TOP_PX - 4}V${frame.base}`} stroke="var(--horizon)" stroke-dasharray="2 2" />}
        {time !== undefined && look === "line" && <Points series={shown} index={at.value} x={frame.x(time)} frame={frame} />}
      </svg>
      {time !== undefined && (
        <Tip x={frame.x(time + half)} width={frame.width} title={timeTitle(time)}
          lines={shown.map((one) => [one.name, one.look, one.values[at.value] ?? null])} />
      )}
    </div>
  );
}

/* A drag looks at whole bins, as a drag over the band does. */
function startZoom(event: PointerEvent, frame: Frame, data: TimeData, chosen: Signal<[number, number] | null>): void {
  const element = event.currentTarget as HTMLElement;
  const { left } = element.getBoundingClientRect();
  const x0 = event.clientX - left;
  if (event.button !== 0) return;
  const move = (next: PointerEvent) => {
    const x = next.clientX - left;
    if (Math.abs(x - x0) <= DRAG_PX_MIN && !chosen.peek()) return;
    const origin = data.times_ms[0] ?? 0;
    const [start, end] = [Math.min(x, x0), Math.max(x, x0)].map((one) => (frame.at(one) - origin) / data.step_ms) as [number, number];
    chosen.value = [origin + Math.floor(start) * data.step_ms, origin + Math.ceil(end) * data.step_ms];
  };
  const stop = () => {
    element.removeEventListener("pointermove", move);
    const window = chosen.peek();
    chosen.value = null;
    if (window) setWindow(window);
  };
  element.setPointerCapture(event.pointerId);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", stop, { once: true });
  element.addEventListener("pointercancel", stop, { once: true });
}

function timeTitle(at_ms: number): string {
  const parts = partsOf(at_ms);
  return `${parts.date} ${parts.minute}:${parts.second}`;
}

function summaryOf(title: string, data: TimeData, shown: Series[]): string {
  const ranges = shown.map(({ name, values }) => {
    const known = values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${visible(name)} without values`;
    return `${visible(name)} from ${figureText(Math.min(...known))} to ${figureText(Math.max(...known))}`;
  });
  return `${title} in ${data.times_ms.length} bins: ${ranges.join("; ")}`;
}

function axisTime(at_ms: number, span_ms: number): string {
  const parts = partsOf(at_ms);
  if (span_ms > 2 * 86_400_000) return parts.date.slice(5);
  return span_ms < 300_000 ? `${parts.minute}:${parts.second}` : parts.minute;
}

function Grid({ frame, scale, domain }: { frame: Frame; scale: Scale; domain: [number, number] }) {
  const span = domain[1] - domain[0];
  const inner = frame.width - LEFT_PX - RIGHT_PX;
  const ticks = ticksOf({ from_ms: domain[0], to_ms: domain[1] }, inner, 96);
  return (
    <>
      {scale.ticks.map((value) => {
        const y = Math.round(frame.y(value)) + 0.5;
        return (
          <g key={value}>
            <path d={`M${LEFT_PX} ${y}H${frame.width - RIGHT_PX}`} stroke={value === 0 ? "var(--rule-strong)" : "var(--rule)"} />
            <text class="axis" x={LEFT_PX - 8} y={y + 4} text-anchor="end">{axisText(value)}</text>
          </g>
        );
      })}
      {ticks.filter((at) => frame.x(at) < frame.width - RIGHT_PX - 12).map((at) => (
        <text class="axis" key={at} x={frame.x(at)} y={frame.height - 6} text-anchor="middle">{axisTime(at, span)}</text>
      ))}
    </>
  );
}

interface LineProps {
  series: Series;
  index: number;
  times: number[];
  frame: Frame;
}

function Line({ series, index, times, frame }: LineProps) {
  let path = "";
  let isDown = false;
  const alone: [number, number][] = [];
  series.values.forEach((value, i) => {
    const x = frame.x(times[i] ?? 0);
    if (value === null) {
      isDown = false;
      return;
    }
    path += `${isDown ? "L" : "M"}${x.toFixed(1)} ${frame.y(value).toFixed(1)}`;
    const hasNext = (series.values[i + 1] ?? null) !== null;
    if ((!isDown && !hasNext) || times.length <= DOTS_MAX) alone.push([x, frame.y(value)]);
    isDown = true;
  });
  return (
    <g class={`line ${series.look}`}>
      <path d={path} fill="none" stroke="var(--c)" stroke-width="1.75" stroke-dasharray={DASHES[index % DASHES.length]} />
      {alone.map(([x, y]) => <circle key={x} cx={x} cy={y} r="2" fill="var(--c)" />)}
    </g>
  );
}

function Points({ series, index, x, frame }: { series: Series[]; index: number; x: number; frame: Frame }) {
  return (
    <>
      {series.map((one) => {
        const value = one.values[index] ?? null;
        return value === null ? null : (
          <circle key={one.name} class={one.look} cx={x} cy={frame.y(value)} r="3.5" fill="var(--bg)" stroke="var(--c)" stroke-width="2" />
        );
      })}
    </>
  );
}

function Stacks({ series, data, frame }: { series: Series[]; data: TimeData; frame: Frame }) {
  const width = frame.x((data.times_ms[0] ?? 0) + data.step_ms) - frame.x(data.times_ms[0] ?? 0);
  const gap = width > 4 ? 1 : 0;
  const reached = data.times_ms.map(() => 0);
  return (
    <>
      {series.map((one) => {
        let path = "";
        one.values.forEach((value, i) => {
          if (value === null || value <= 0) return;
          const bottom = frame.y(reached[i] ?? 0);
          reached[i] = (reached[i] ?? 0) + value;
          const top = frame.y(reached[i] ?? 0);
          const x = frame.x(data.times_ms[i] ?? 0) + gap;
          path += `M${x.toFixed(1)} ${top.toFixed(1)}h${Math.max(1, width - 2 * gap).toFixed(1)}V${bottom.toFixed(1)}H${x.toFixed(1)}z`;
        });
        return <path key={one.name} class={`stack ${one.look}`} d={path} fill="var(--c)" />;
      })}
    </>
  );
}
