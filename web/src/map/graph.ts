/* What the service map draws: services, what they call, and how the calls went.

     server's map -> [graph] -> layout, plates, table

   Invariant: at most two hundred nodes are drawn, those with the most calls; the table has all. */

import type { MapEdge, ServiceMap } from "../api/traces.ts";

export const NODES_MAX = 200;

export interface MapNode {
  id: string;
  name: string;
  /** "service", or what a peer is: database, messaging, rpc, host. */
  kind: string;
  /** Whether it told nothing itself and is known from its callers only. */
  isOutside: boolean;
  requests: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
}

export interface Graph {
  nodes: MapNode[];
  edges: (MapEdge & { from: string; to: string })[];
}

export type Health = "" | "warn" | "bad";

const WARN_SHARE = 0.01;
const BAD_SHARE = 0.1;

/** How a share of failures looks. */
export function healthOf(errors: number, count: number): Health {
  const share = count > 0 ? errors / count : 0;
  if (share >= BAD_SHARE) return "bad";
  return share >= WARN_SHARE ? "warn" : "";
}

function peerId(edge: MapEdge, known: Set<string>): string {
  return edge.kind === "service" && known.has(edge.callee) ? `service ${edge.callee}` : `${edge.kind} ${edge.callee}`;
}

/** Every service and everything that one calls. */
export function graphOf(map: ServiceMap): Graph {
  const known = new Set(map.services.map((one) => one.name));
  const nodes = new Map<string, MapNode>();
  for (const { name, requests, errors, p50_ns, p95_ns } of map.services) {
    nodes.set(`service ${name}`, { id: `service ${name}`, name, kind: "service", isOutside: false, requests, errors, p50_ns, p95_ns });
  }
  const edges = map.edges.map((edge) => ({ ...edge, from: `service ${edge.caller}`, to: peerId(edge, known) }));
  for (const edge of edges) {
    for (const [id, name, kind] of [[edge.from, edge.caller, "service"], [edge.to, edge.callee, edge.kind]] as const) {
      if (!nodes.has(id)) nodes.set(id, { id, name, kind, isOutside: true, requests: 0, errors: 0, p50_ns: 0, p95_ns: 0 });
    }
    const peer = nodes.get(edge.to);
    if (!peer?.isOutside) continue;
    peer.requests += edge.calls;
    peer.errors += edge.errors;
    // Of several callers the slowest is told; percentiles cannot be added up.
    peer.p50_ns = Math.max(peer.p50_ns, edge.p50_ns);
    peer.p95_ns = Math.max(peer.p95_ns, edge.p95_ns);
  }
  return { nodes: [...nodes.values()], edges };
}

/** The part that is drawn, and how many nodes are left out. */
export function drawnOf(graph: Graph): { drawn: Graph; left: number } {
  const weights = new Map(graph.nodes.map((node) => [node.id, node.requests]));
  for (const edge of graph.edges) {
    weights.set(edge.from, (weights.get(edge.from) ?? 0) + edge.calls);
    weights.set(edge.to, (weights.get(edge.to) ?? 0) + edge.calls);
  }
  const nodes = [...graph.nodes].sort((a, b) => (weights.get(b.id) ?? 0) - (weights.get(a.id) ?? 0)).slice(0, NODES_MAX);
  const kept = new Set(nodes.map((node) => node.id));
  const edges = graph.edges.filter((edge) => kept.has(edge.from) && kept.has(edge.to));
  return { drawn: { nodes, edges }, left: graph.nodes.length - nodes.length };
}

/** Those within so many calls of a node, in either direction. */
export function within(graph: Graph, id: string, hops: number): Graph {
  const reached = new Set([id]);
  for (let hop = 0; hop < hops; hop += 1) {
    const before = [...reached];
    for (const edge of graph.edges) {
      if (before.includes(edge.from)) reached.add(edge.to);
      if (before.includes(edge.to)) reached.add(edge.from);
    }
  }
  return {
    nodes: graph.nodes.filter((node) => reached.has(node.id)),
    edges: graph.edges.filter((edge) => reached.has(edge.from) && reached.has(edge.to)),
  };
}
