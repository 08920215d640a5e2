/* A strip beside the table: where errors and warnings lie in the whole result, and what of it
   is on screen. Drawn from the server's counts, so it knows more than the rows held. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { isDescending } from "../address/address.ts";
import { inWindow } from "../band/overview.ts";
import type { Histogram } from "../api/types.ts";
import { millisOf } from "../time/clock.ts";
import { countText } from "../parts/text.ts";
import { ring } from "./feed.ts";
import { isGap } from "./ring.ts";
import { firstSeen, itemAt, lastSeen } from "./viewport.ts";

const WIDTH = 12;

interface Marks {
  fatal: string;
  error: string;
  warn: string;
}

/* Share of the matching records that lie before each bucket: rows, not time, run down the strip. */
function sharesOf(counts: Histogram): number[] {
  const total = Math.max(1, counts.matched);
  let before = 0;
  return counts.buckets.map((bucket) => {
    const share = before / total;
    for (let i = 1; i <= 5; i += 1) before += bucket[i] ?? 0;
    return share;
  });
}

function placeOf(share: number, height: number): number {
  const place = isDescending.value ? 1 - share : share;
  return Math.round(place * (height - 4)) + 1;
}

function marksOf(counts: Histogram, height: number): Marks {
  const shares = sharesOf(counts);
  const marks: Marks = { fatal: "", error: "", warn: "" };
  counts.buckets.forEach((bucket, i) => {
    const y = placeOf(((shares[i] ?? 0) + (shares[i + 1] ?? 1)) / 2, height);
    if (bucket[1] > 0) marks.fatal += `M2 ${y}h9v3h-9z`;
    if (bucket[2] > 0) marks.error += `M2 ${y}h4v2h-4z`;
    if (bucket[3] > 0) marks.warn += `M7 ${y}h4v2h-4z`;
  });
  return marks;
}

function shareAt(counts: Histogram, shares: number[], at_ms: number): number {
  const i = Math.floor((at_ms - (counts.buckets[0]?.[0] ?? 0)) / Math.max(1, counts.step_ms));
  if (i < 0) return 0;
  return shares[i] ?? 1;
}

function screenOf(counts: Histogram, shares: number[], height: number): [number, number] | null {
  const first = itemAt(firstSeen.value);
  const last = itemAt(lastSeen.value);
  void ring.version.value;
  if (!first || !last || isGap(first) || isGap(last)) return null;
  const ends = [first, last].map((row) => placeOf(shareAt(counts, shares, millisOf(row.ts)), height));
  const top = Math.min(...ends);
  return [top, Math.max(12, Math.max(...ends) - top)];
}

/* On its own, for it moves with every scroll and the marks do not. */
function Screen({ counts, height }: { counts: Histogram; height: number }) {
  const shares = useMemo(() => sharesOf(counts), [counts]);
  const screen = screenOf(counts, shares, height);
  if (!screen) return null;
  return <rect class="ruler-screen" x="1.5" width="10" y={screen[0] + 0.5} height={screen[1]} />;
}

export function MarkRuler() {
  const strip = useRef<SVGSVGElement>(null);
  const height = useSignal(600);
  useLayoutEffect(() => {
    const element = strip.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => { height.value = element.clientHeight; });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const counts = inWindow.value;
  const isTurned = isDescending.value;
  const marks = useMemo(
    () => (counts ? marksOf(counts, height.value) : null), [counts, height.value, isTurned]);
  return (
    <svg class="ruler" ref={strip} width={WIDTH} role="img"
      aria-label={`Where warnings and errors lie in ${countText(counts?.matched ?? 0)} records`}>
      <path d={`M.5 0V${height.value}`} stroke="var(--rule)" />
      {marks && <path d={marks.warn} fill="var(--bar-warn)" />}
      {marks && <path d={marks.error} fill="var(--bar-error)" />}
      {marks && <path d={marks.fatal} fill="var(--bar-fatal)" />}
      {counts && <Screen counts={counts} height={height.value} />}
    </svg>
  );
}
