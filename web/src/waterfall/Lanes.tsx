/* The bars beside the names: one drawing for the lines on screen, in the order of the lines.

   Bars by service, ticks by level, an open end hatched, a start before its parent's dashed; over
   all of it the critical path as one stepped line. */

import { useMemo } from "preact/hooks";

import { Glyph } from "../parts/Glyph.tsx";
import { levelLook } from "../parts/level.ts";
import { countText, oneLine } from "../parts/text.ts";
import { durationText } from "../traces/figures.ts";
import { ticksOf, xOf } from "./scale.ts";
import { critical, domain, excessOf, isForsaken, lines, marked, onPath, openEnd, slotOf, tree, usualOf, withCritical } from "./state.ts";
import { endOf, type Line, type LogMark, type Node } from "./tree.ts";

export const ROW_PX = 22;
const BAR_PX = 10;
const CHAR_PX = 6.5;

interface Props {
  first: number;
  last: number;
  width: number;
}

export function Lanes({ first, last, width }: Props) {
  const shown = lines.value.slice(first, last);
  const height = Math.max(0, last - first) * ROW_PX;
  return (
    <svg class="lanes" width={width} height={height} style={{ transform: `translateY(${first * ROW_PX}px)` }} aria-hidden="true">
      <defs>
        <pattern id="open-end" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2.500" height="5" fill="var(--bg)" /></pattern>
        <clipPath id="lane-clip"><rect width={width} height={height} /></clipPath>
      </defs>
      <Guides width={width} height={height} />
      <g clip-path="url(#lane-clip)">
        {shown.map((line, i) => <Lane key={i} line={line} y={i * ROW_PX} width={width} />)}
        {withCritical.value && <g transform={`translate(0 ${-first * ROW_PX})`}><Path width={width} first={first} last={last} /></g>}
      </g>
    </svg>
  );
}

function Guides({ width, height }: { width: number; height: number }) {
  const range = domain.value;
  const guides = ticksOf(range, width, 90).map((at) => `M${Math.round(xOf(at, range, width)) + 0.5} 0V${height}`).join("");
  const end = xOf(tree.value?.length ?? 0, range, width);
  return (
    <>
      <path d={guides} stroke="var(--rule)" />
      {end <= width && <path d={`M${Math.round(end) + 0.5} 0V${height}`} stroke="var(--horizon)" />}
    </>
  );
}

/** The axis above the bars. */
export function Axis({ width }: { width: number }) {
  const range = domain.value;
  return (
    <svg class="ticks" width={width} height="28" aria-hidden="true">
      {ticksOf(range, width, 90).filter((at) => xOf(at, range, width) < width - 44).map((at) => (
        <text class="axis" key={at} x={xOf(at, range, width) + (at === 0 ? 0 : 4)} y="18">{at === 0 ? "0" : durationText(at)}</text>
      ))}
    </svg>
  );
}

function Lane({ line, y, width }: { line: Line; y: number; width: number }) {
  if (line.kind === "log") return <LogLane mark={line.mark} y={y} width={width} />;
  return <Bar node={line.node} y={y} width={width} />;
}

function Bar({ node, y, width }: { node: Node; y: number; width: number }) {
  const range = domain.value;
  const x = Math.max(-20, xOf(node.start, range, width));
  const end = Math.min(width + 20, Math.max(x + 2, xOf(endOf(node, openEnd.value), range, width)));
  const isCalm = withCritical.value && !onPath.value.has(node);
  return (
    <g class={`bar series-${slotOf(node.span.service)}${isCalm ? " calm" : ""}${node.span.pending ? " open" : ""}`}>
      <rect x={x.toFixed(1)} y={y + 6} width={Math.max(2, end - x).toFixed(1)} height={BAR_PX} rx="1.500" fill="var(--c)" opacity={isCalm ? 0.55 : undefined} />
      <UsualMark node={node} y={y} width={width} />
      {node.span.pending && <OpenEnd x={end} y={y} />}
      {node.early > 0 && <path class="skew" d={`M${x.toFixed(1)} ${y + 2}v18`} stroke="var(--bar-warn)" stroke-width="2" stroke-dasharray="2 1.500" />}
      <Said node={node} x={x} end={end} y={y} width={width} />
      {node.logs.map((mark) => <Tick key={mark.row.id} mark={mark} y={y} width={width} />)}
    </g>
  );
}

/* Where 95 of 100 such spans had ended before. */
function UsualMark({ node, y, width }: { node: Node; y: number; width: number }) {
  const known = usualOf(node);
  if (!known || excessOf(node) <= 1) return null;
  const x = xOf(node.start + known.p95_ns, domain.value, width);
  return <path class="usual" d={`M${x.toFixed(1)} ${y + 4}v14`} stroke="var(--bg)" stroke-width="3" />;
}

function OpenEnd({ x, y }: { x: number; y: number }) {
  return (
    <>
      <rect x={x - 18} y={y + 6} width="18" height={BAR_PX} fill="url(#open-end)" />
      {!isForsaken.value && <path class="moving" d={`M${x.toFixed(1)} ${y + 3}v16`} stroke="var(--bar-ok)" stroke-width="2" />}
    </>
  );
}

function saidOf(node: Node): [string, string] {
  if (node.early > 0) return [`starts ${durationText(node.early)} before its parent, clocks differ`, "warn"];
  if (node.span.pending) return [isForsaken.value ? "its end was never told" : "still running", ""];
  if (node.span.orphan) return ["its parent is not stored", ""];
  return ["", ""];
}

function Said({ node, x, end, y, width }: { node: Node; x: number; end: number; y: number; width: number }) {
  const [text, look] = saidOf(node);
  if (text === "") return null;
  const room = text.length * CHAR_PX + 16;
  const isRight = width - end > room;
  // Where neither side has room it stands inside, before the end.
  const at = isRight ? end + 8 : x > room ? x - 8 : Math.min(end, width) - 24;
  return <text class={`axis said ${look}`} x={at} y={y + 15} text-anchor={isRight ? "start" : "end"}>{text}</text>;
}

function Tick({ mark, y, width }: { mark: LogMark; y: number; width: number }) {
  const x = xOf(mark.at, domain.value, width);
  if (x < 0 || x > width) return null;
  const d = `M${x.toFixed(1)} ${y + 3}v16`;
  return (
    <g class={`tick lv-${levelLook(mark.row.level).look}`}>
      <path d={d} stroke="var(--bg)" stroke-width="4" />
      <path d={d} stroke="var(--lb)" stroke-width={mark.row.id === marked.value ? 3 : 2} />
    </g>
  );
}

function LogLane({ mark, y, width }: { mark: LogMark; y: number; width: number }) {
  const x = Math.max(0, Math.min(width, xOf(mark.at, domain.value, width)));
  const { look } = levelLook(mark.row.level);
  const isRight = x > width - 90;
  return (
    <g class={`log-lane lv-${look}`}>
      <path d={`M${0} ${y + 11.5}H${Math.max(0, x - 8).toFixed(1)}`} stroke="var(--rule-strong)" stroke-dasharray="1 3" />
      <foreignObject x={x - 5} y={y + 6} width="10" height="10"><Glyph name={look} /></foreignObject>
      <text class="axis" x={isRight ? x - 10 : x + 10} y={y + 15} text-anchor={isRight ? "end" : "start"}>{mark.at < 0 ? "−" : "+"}{durationText(Math.abs(mark.at))}</text>
    </g>
  );
}

/* The line on which each span of the path stands: its own, or that of the fold that hides it. */
function placesOf(): Map<Node, number> {
  const places = new Map<Node, number>();
  lines.value.forEach((line, i) => { if (line.kind === "span") places.set(line.node, i); });
  return places;
}

function Path({ width, first, last }: Props) {
  const range = domain.value;
  const [shown, pieces] = [lines.value, critical.value];
  const steps = useMemo(() => {
    const places = placesOf();
    return pieces.map(({ node, from, to }) => {
      let seen: Node | null = node;
      while (seen && !places.has(seen)) seen = seen.parent;
      return { row: seen ? (places.get(seen) ?? 0) : 0, from, to };
    });
  }, [shown, pieces]);
  let d = "";
  let before: number | null = null;
  for (const { row, from, to } of steps) {
    // What is far from the screen is drawn at its edge: a line of a thousand rows costs nothing.
    const y = Math.max(first - 1, Math.min(last + 1, row)) * ROW_PX + 18.5;
    const [a, b] = [from, to].map((at) => Math.max(-9, Math.min(width + 9, xOf(at, range, width))).toFixed(1));
    d += `${before === null ? `M${a} ${y}` : `H${a}V${y}`}H${b}`;
    before = y;
  }
  return <path class="critical" d={d} fill="none" stroke="var(--text)" stroke-width="1.500" stroke-linejoin="round" />;
}

export function lineTitle(line: Line): string {
  if (line.kind === "log") return oneLine(line.mark.row.message, 1000);
  const { span } = line.node;
  const known = usualOf(line.node);
  const usual = known ? `; usually p50 ${durationText(known.p50_ns)}, p95 ${durationText(known.p95_ns)} of ${countText(known.count)}` : "";
  return `${oneLine(span.name, 500)}, ${oneLine(span.service, 200)}${usual}`;
}
