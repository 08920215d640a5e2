/* Nothing to show: what is missing, and the one control that helps most. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { from, query, setParams, to } from "../address/address.ts";
import { askHistogram } from "../api/client.ts";
import { inWindow } from "../band/overview.ts";
import { countText, visible } from "../parts/text.ts";
import { isLoading } from "../records/feed.ts";
import { run } from "../search/apply.ts";
import { drop } from "../search/edit.ts";
import { parse, type Term } from "../search/parser.ts";

const TERMS_TRIED_MAX = 6;

interface Way {
  text: string;
  shown: string;
  count: number;
}

async function countWithout(q: string, term: Term): Promise<Way> {
  const text = drop(q, term);
  const counts = await askHistogram(text, from.peek(), to.peek(), 1);
  return { text, shown: q.slice(term.start, term.end).replace(/^-/, "−"), count: counts.matched };
}

/* The term whose absence brings most back. */
async function bestWay(q: string): Promise<Way | null> {
  const terms = parse(q).terms.slice(0, TERMS_TRIED_MAX);
  const tried = await Promise.allSettled(terms.map((term) => countWithout(q, term)));
  const ways = tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  ways.sort((a, b) => b.count - a.count);
  return ways[0] && ways[0].count > 0 ? ways[0] : null;
}

export function Empty() {
  const way = useSignal<Way | null>(null);
  const isTrying = useSignal(false);
  const q = query.value;
  useEffect(() => {
    way.value = null;
    isTrying.value = q !== "";
    if (q === "") return;
    bestWay(q).then((found) => { way.value = found; }).catch(() => undefined)
      .finally(() => { isTrying.value = false; });
  }, [q, from.value, to.value]);
  // A control that changed under the pointer would do what nobody meant.
  if (isLoading.value || isTrying.value) return null;
  return <div class="empty" role="status"><Words way={way.value} q={q} /></div>;
}

function Words({ way, q }: { way: Way | null; q: string }) {
  const oldest = inWindow.value?.oldest_ms ?? null;
  if (way) {
    return (
      <span><b class="strong">No record matches.</b> <span class="muted">{countText(way.count)} do without</span>{" "}
        <button class="control small" onClick={() => run(way.text)}>Drop {visible(way.shown)}</button></span>
    );
  }
  if (q !== "") {
    return (
      <span><b class="strong">No record matches.</b>{" "}
        <button class="control small" onClick={() => run("")}>Clear the search</button></span>
    );
  }
  if (oldest === null) return <span><b class="strong">Nothing is stored yet.</b> <span class="muted">The first record appears here by itself.</span></span>;
  return (
    <span><b class="strong">No record in this time.</b>{" "}
      <button class="control small" onClick={() => setParams({ from: String(oldest), to: "now", live: "0" }, true)}>Show all there is</button></span>
  );
}
