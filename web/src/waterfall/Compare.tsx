/* One span against those of its service, name and kind in the hours before the trace. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { askHeat, type HeatMap } from "../api/traces.ts";
import { countText } from "../parts/text.ts";
import { quote } from "../search/edit.ts";
import { durationText, shareText } from "../traces/figures.ts";
import { lengthText } from "../time/range.ts";
import { lengthOf, tree, usualOf, usualSince_ms } from "./state.ts";
import type { Node } from "./tree.ts";

const WIDTH = 388;
const HEIGHT = 56;
const FINENESS = 4;

/* All that have this service, name and kind, as the search language says it. */
function searchOf({ span }: Node): string {
  return `service=${quote(span.service)} name=${quote(span.name)} kind:${span.kind}`;
}

export function Compare({ node }: { node: Node }) {
  const known = usualOf(node);
  const spread = useSignal<HeatMap | null>(null);
  const start = Number((tree.value?.start ?? 0n) / 1_000_000n);
  const since = usualSince_ms.value;
  useEffect(() => {
    spread.value = null;
    if (!known) return undefined;
    const abort = new AbortController();
    const scope = { q: searchOf(node), from: since, to: start, group: "" };
    askHeat(scope, { of: "spans", buckets: 1, per_doubling: FINENESS }, abort.signal).then((found) => { spread.value = found; }).catch(() => undefined);
    return () => abort.abort();
  }, [node.span.service, node.span.name, node.span.kind, known]);
  if (!known) {
    return <section class="section"><h3>Against the usual</h3><p class="pad muted">No finished span of this service, name and kind lies in the hours before the trace.</p></section>;
  }
  return (
    <section class="section against">
      <h3>Against the usual<span class="more">{countText(known.count)} in {lengthText(start - since)} before</span></h3>
      <dl class="facts-line">
        <div><dt>this one</dt><dd>{durationText(lengthOf(node))}</dd></div>
        <div><dt>p50</dt><dd>{durationText(known.p50_ns)}</dd></div>
        <div><dt>p95</dt><dd>{durationText(known.p95_ns)}</dd></div>
        <div><dt>failed</dt><dd>{shareText(known.errors / Math.max(1, known.count))} %</dd></div>
      </dl>
      {spread.value && <Spread map={spread.value} ns={lengthOf(node)} p50={known.p50_ns} p95={known.p95_ns} />}
    </section>
  );
}

/* How many took how long, by quarters of a doubling; errors in their colour. */
function Spread({ map, ns, p50, p95 }: { map: HeatMap; ns: number; p50: number; p95: number }) {
  const counts = new Map<number, [number, number]>();
  for (const [, bucket, count, errors] of map.cells) {
    const sum = counts.get(bucket) ?? [0, 0];
    counts.set(bucket, [sum[0] + count, sum[1] + errors]);
  }
  const here = Math.log2(Math.max(1, ns)) * FINENESS;
  const low = Math.min(Math.floor(here), ...counts.keys()) - 1;
  const high = Math.max(Math.floor(here), ...counts.keys()) + 2;
  const most = Math.max(1, ...[...counts.values()].map(([count]) => count));
  const x = (bucket: number) => ((bucket - low) / Math.max(1, high - low)) * WIDTH;
  const wide = Math.max(1, WIDTH / Math.max(1, high - low) - 1);
  let calm = "";
  let failed = "";
  for (const [bucket, [count, errors]] of counts) {
    const tall = Math.max(1.5, (count / most) * (HEIGHT - 20));
    const red = errors > 0 ? Math.max(1.5, (errors / count) * tall) : 0;
    calm += `M${x(bucket).toFixed(1)} ${(HEIGHT - tall).toFixed(1)}h${wide.toFixed(1)}v${(tall - red).toFixed(1)}h${(-wide).toFixed(1)}z`;
    if (red > 0) failed += `M${x(bucket).toFixed(1)} ${(HEIGHT - red).toFixed(1)}h${wide.toFixed(1)}v${red.toFixed(1)}h${(-wide).toFixed(1)}z`;
  }
  const at = x(here);
  const isRight = at > WIDTH / 2;
  return (
    <svg class="spread" viewBox={`0 0 ${WIDTH} ${HEIGHT + 20}`} role="img" aria-label={`This one ${durationText(ns)}, half at most ${durationText(p50)}, 95 of 100 at most ${durationText(p95)}`}>
      <path d={calm} fill="var(--bar-debug)" />
      <path d={failed} fill="var(--bar-error)" />
      <path d={`M0 ${HEIGHT + 0.5}H${WIDTH}`} stroke="var(--rule-strong)" />
      <path d={`M${at.toFixed(1)} 8V${HEIGHT + 4}`} stroke="var(--accent)" stroke-width="2" />
      <text class="axis on" x={isRight ? at - 6 : at + 6} y="14" text-anchor={isRight ? "end" : "start"}>this one</text>
      <text class="axis" x="0" y={HEIGHT + 16}>{durationText(2 ** (low / FINENESS))}</text>
      <text class="axis" x={WIDTH} y={HEIGHT + 16} text-anchor="end">{durationText(2 ** (high / FINENESS))}</text>
    </svg>
  );
}
