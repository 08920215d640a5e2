/* The map as plates and the calls between them: width by rate, colour by failures only. */

import { useEffect, useLayoutEffect } from "preact/hooks";

import { oneLine, seriesOf } from "../parts/text.ts";
import { useSize } from "../parts/useSize.ts";
import { durationParts, durationText, rateText, shareText } from "../traces/figures.ts";
import { type Graph, healthOf, type MapNode } from "./graph.ts";
import { type Layout, wayOf } from "./layout.ts";
import { choose, chosen, LABELS_MAX, layout, length_ms, PLATE } from "./state.ts";

/* Below this scale nobody could read the figures; the drawing scrolls instead. */
const SCALE_MIN = 0.85;
const SCALE_MAX = 1.15;

export function Drawing() {
  const { element: box, size } = useSize<HTMLDivElement>([900, 500]);
  const shown = layout.value;
  const scale = shown ? scaleOf(shown.layout, size.value) : 1;
  const laid = shown?.layout;
  useLayoutEffect(() => {
    // The middle of a tall map is where the callers stand.
    const seen = box.current;
    if (seen) seen.scrollTop = (seen.scrollHeight - seen.clientHeight) / 2;
  }, [laid]);
  useEffect(() => {
    document.querySelector(".plate.sel")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [chosen.value, shown]);
  return (
    <div class="map-box" ref={box} tabIndex={0} role="region" aria-label="Map">
      {shown && (
        <svg class="map" width={shown.layout.width * scale} height={shown.layout.height * scale} viewBox={`0 0 ${shown.layout.width} ${shown.layout.height}`}
          role="group" aria-label={`${shown.graph.nodes.length} services and what they call; the table holds the same figures`}>
          <Markers />
          <Flows graph={shown.graph} layout={shown.layout} />
          {shown.graph.nodes.map((node) => <Plate key={node.id} node={node} place={shown.layout.places[node.id] ?? [0, 0]} />)}
        </svg>
      )}
    </div>
  );
}

function scaleOf(laid: Layout, [width, height]: [number, number]): number {
  return Math.max(SCALE_MIN, Math.min(SCALE_MAX, (width - 8) / laid.width, (height - 8) / laid.height));
}

function Markers() {
  return (
    <defs>
      {([["calm", "--border"], ["warn", "--bar-warn"], ["bad", "--bar-error"]] as const).map(([name, colour]) => (
        <marker key={name} id={`head-${name}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
          <path d="M0 .5l7 3.500-7 3.500z" fill={`var(${colour})`} />
        </marker>
      ))}
    </defs>
  );
}

const COLOURS = { "": "var(--border)", warn: "var(--bar-warn)", bad: "var(--bar-error)" };

function Flows({ graph, layout: laid }: { graph: Graph; layout: Layout }) {
  const isFew = graph.edges.length <= LABELS_MAX;
  return (
    <>
      {graph.edges.map((edge) => {
        const way = laid.ways[wayOf(edge.from, edge.to)];
        if (!way || way.length < 3) return null;
        const health = healthOf(edge.errors, edge.calls);
        const isNear = chosen.value === edge.from || chosen.value === edge.to;
        const [points, [x, y]] = [way.slice(0, -1), way.at(-1) as [number, number]];
        const wide = 0.75 + Math.log10(edge.calls / (length_ms.value / 1000) + 1) * 0.8 + (isNear ? 1 : 0);
        return (
          <g class={`flow ${health}`} key={`${edge.from} ${edge.to}`}>
            <path d={curveOf(points)} fill="none" stroke={COLOURS[health]} stroke-width={wide.toFixed(2)} marker-end={`url(#head-${health || "calm"})`} />
            {(isFew || isNear) && <text class="said" x={x} y={y - 5} text-anchor="middle">{flowText(edge)}</text>}
          </g>
        );
      })}
    </>
  );
}

/* Through the middles between the points, so that a bend is a curve. */
function curveOf(points: [number, number][]): string {
  const [first = [0, 0], ...rest] = points;
  let d = `M${first[0]} ${first[1]}`;
  rest.forEach(([x, y], i) => {
    const next = rest[i + 1];
    if (next) d += `Q${x} ${y} ${(x + next[0]) / 2} ${(y + next[1]) / 2}`;
    else d += `L${x} ${y}`;
  });
  return d;
}

function flowText(edge: Graph["edges"][number]): string {
  const failed = edge.errors > 0 ? ` · ${shareText(edge.errors / edge.calls)} %` : "";
  return `${rateText(edge.calls, length_ms.value)}/s${failed} · ${durationText(edge.p95_ns)}`;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

export function nodeText(node: MapNode): string {
  return `${oneLine(node.name, 200)}, ${node.kind}: ${rateText(node.requests, length_ms.value)} a second, `
    + `${shareText(node.errors / Math.max(1, node.requests))} % failed, p95 ${durationText(node.p95_ns)}`;
}

function Plate({ node, place }: { node: MapNode; place: [number, number] }) {
  const health = healthOf(node.errors, node.requests);
  const isChosen = chosen.value === node.id;
  const name = oneLine(node.name, 200) || "no name";
  const kind = node.kind === "service" ? (node.isOutside ? "outside" : "") : node.kind;
  const [p95, unit] = durationParts(node.p95_ns);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    choose(node.id);
  };
  return (
    <g class={`plate ${health}${isChosen ? " sel" : ""}${node.isOutside ? " outside" : ""}`} transform={`translate(${place[0]} ${place[1]})`} role="button" tabIndex={0}
      aria-label={nodeText(node)} aria-pressed={isChosen} onClick={() => choose(isChosen ? "" : node.id)} onKeyDown={onKeyDown}>
      <title>{name}</title>
      <rect class="ground" x=".5" y=".5" width={PLATE.width - 1} height={PLATE.height - 1} rx="4" />
      {!node.isOutside && <rect class={`series-${seriesOf(node.name)}`} x="8" y="11" width="8" height="8" rx="1" fill="var(--c)" />}
      <text class="nm" x={node.isOutside ? 8 : 22} y="20">{cut(name, kind === "" ? 17 : 12)}</text>
      <text x={PLATE.width - 8} y="20" text-anchor="end">{kind}</text>
      <text x="8" y="43"><tspan class="v">{rateText(node.requests, length_ms.value)}</tspan>/s</text>
      {node.requests > 0 && <text x="104" y="43" text-anchor="end"><tspan class="e">{shareText(node.errors / node.requests)}</tspan> %</text>}
      {node.requests > 0 && <text x={PLATE.width - 8} y="43" text-anchor="end"><tspan class="v">{p95}</tspan> {unit}</text>}
    </g>
  );
}
