/* Lays a graph out in layers, beside the page's own thread. */

import { graphlib, layout } from "@dagrejs/dagre";

import { type Layout, type Wanted, wayOf } from "./layout.ts";

function layOut({ nodes, edges, width, height, label }: Wanted): Layout {
  const graph = new graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: 24, ranksep: label > 0 ? 24 : 64, marginx: 16, marginy: 16 });
  for (const id of nodes) graph.setNode(id, { width, height });
  for (const [from, to] of edges) if (from !== to) graph.setEdge(from, to, { width: label, height: label > 0 ? 16 : 0, labelpos: "c" });
  layout(graph);
  const places: Layout["places"] = {};
  for (const id of nodes) {
    const { x, y } = graph.node(id) as { x: number; y: number };
    places[id] = [x - width / 2, y - height / 2];
  }
  const ways: Layout["ways"] = {};
  for (const { v, w } of graph.edges()) {
    const { points = [], x = 0, y = 0 } = graph.edge(v, w) as { points?: { x: number; y: number }[]; x?: number; y?: number };
    ways[wayOf(v, w)] = [...points.map((point): [number, number] => [point.x, point.y]), [x, y]];
  }
  const { width: whole = 0, height: high = 0 } = graph.graph() as { width?: number; height?: number };
  return { places, ways, width: Math.max(1, whole), height: Math.max(1, high) };
}

addEventListener("message", (event: MessageEvent<Wanted>) => {
  postMessage({ number: event.data.number, layout: layOut(event.data) });
});
