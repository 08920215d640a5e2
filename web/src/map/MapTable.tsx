/* The map's figures as a table: every service, and every call between two. */

import { signal } from "@preact/signals";

import { countText, oneLine, seriesOf } from "../parts/text.ts";
import { Duration } from "../traces/Figure.tsx";
import { rateText, shareText } from "../traces/figures.ts";
import { healthOf, type MapNode } from "./graph.ts";
import { choose, chosen, graph, length_ms } from "./state.ts";

type Column = "name" | "rate" | "errors" | "p50" | "p95";

const COLUMNS: [Column, string][] = [["name", "service"], ["rate", "rate/s"], ["errors", "failed"], ["p50", "p50"], ["p95", "p95"]];

const order = signal<Column>("errors");

function compare(a: MapNode, b: MapNode): number {
  const share = (node: MapNode) => node.errors / Math.max(1, node.requests);
  const by: Record<Column, number> = {
    name: a.name < b.name ? -1 : 1, rate: b.requests - a.requests, errors: share(b) - share(a), p50: b.p50_ns - a.p50_ns, p95: b.p95_ns - a.p95_ns,
  };
  return by[order.value] || b.requests - a.requests || (a.name < b.name ? -1 : 1);
}

export function NodeTable() {
  const nodes = [...(graph.value?.nodes ?? [])].sort(compare);
  return (
    <div class="map-table" tabIndex={0} role="region" aria-label="Services">
      <table class="table">
        <thead><tr>
          {COLUMNS.map(([name, text]) => (
            <th class={name === "name" ? "" : "num"} key={name} aria-sort={order.value === name ? (name === "name" ? "ascending" : "descending") : undefined}>
              <button class="sort" onClick={() => { order.value = name; }}>{text}{order.value === name && <span aria-hidden="true"> ↓</span>}</button>
            </th>
          ))}
          <th class="kind">kind</th>
        </tr></thead>
        <tbody>{nodes.map((node) => <NodeLine key={node.id} node={node} />)}</tbody>
      </table>
    </div>
  );
}

function NodeLine({ node }: { node: MapNode }) {
  const health = healthOf(node.errors, node.requests);
  const isChosen = chosen.value === node.id;
  return (
    <tr class={`${isChosen ? "sel " : ""}${health}`}>
      <td><button class={node.isOutside ? "svc outside" : `svc series-${seriesOf(node.name)}`} aria-pressed={isChosen} onClick={() => choose(isChosen ? "" : node.id)}><span class="cut">{oneLine(node.name, 120) || "no name"}</span></button></td>
      <td class="num" title={`${countText(node.requests)} in all`}>{rateText(node.requests, length_ms.value)}</td>
      <td class={`num share ${health}`}>{shareText(node.errors / Math.max(1, node.requests))} <span class="u">%</span></td>
      <td class="num">{node.requests > 0 ? <Duration ns={node.p50_ns} /> : "–"}</td>
      <td class="num">{node.requests > 0 ? <Duration ns={node.p95_ns} /> : "–"}</td>
      <td class="kind muted">{node.isOutside && node.kind === "service" ? "outside" : node.kind}</td>
    </tr>
  );
}

/** Every call, the most frequent first. */
export function CallTable() {
  const edges = graph.value?.edges ?? [];
  return (
    <table class="table calls">
      <thead><tr><th>from</th><th>to</th><th class="num">rate/s</th><th class="num">failed</th><th class="num">p50</th><th class="num">p95</th></tr></thead>
      <tbody>
        {edges.map((edge) => (
          <tr key={`${edge.from} ${edge.to}`}>
            <td>{oneLine(edge.caller, 100)}</td><td>{oneLine(edge.callee, 100)}</td>
            <td class="num">{rateText(edge.calls, length_ms.value)}</td>
            <td class={`num share ${healthOf(edge.errors, edge.calls)}`}>{shareText(edge.errors / Math.max(1, edge.calls))} <span class="u">%</span></td>
            <td class="num"><Duration ns={edge.p50_ns} /></td><td class="num"><Duration ns={edge.p95_ns} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
