/* The records: when (band), what they share (facets), each of them (table), one of them (panel). */

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { from, isLive, query, selected, setParams, param, to } from "../address/address.ts";
import { Drawers, type Drawer } from "../app/Drawers.tsx";
import { StatusLine } from "../app/StatusLine.tsx";
import { TopBar } from "../app/TopBar.tsx";
import { Band } from "../band/Band.tsx";
import { inWindow, recount, tick } from "../band/overview.ts";
import { Facets } from "../facets/Facets.tsx";
import { isDocked, Panel } from "../panel/Panel.tsx";
import { countText } from "../parts/text.ts";
import { fresh, isStarted, load, tail } from "../records/feed.ts";
import { MarkRuler } from "../records/MarkRuler.tsx";
import { Notes } from "../records/Notes.tsx";
import { NewPill, RecordTable } from "../records/RecordTable.tsx";
import { TableHead, TableTools } from "../records/TableHead.tsx";
import { count } from "../records/viewport.ts";
import { Empty } from "./Empty.tsx";

const KEYS: [string, string][] = [
  ["j k", "move"], ["Enter", "open"], ["t", "trace"], ["f x", "filter, exclude"],
];
const TICK_MS = 250;
const SPEAK_MS = 5000;

/* A plain /logs follows what is new; an address that says when, or which, does not. */
function startLive(): void {
  if (["live", "from", "to", "sel"].every((name) => param(name) === "")) setParams({ live: "1" });
}

export function Logs({ onHelp }: { onHelp: () => void }) {
  const drawer = useSignal<Drawer>("");
  const key = JSON.stringify([query.value, from.value, to.value]);
  useEffect(startLive, []);
  useEffect(() => {
    void load();
    void recount();
  }, [key]);
  useEffect(() => {
    const timer = setInterval(tick, TICK_MS);
    return () => {
      clearInterval(timer);
      tail.stop();
    };
  }, []);
  return (
    <div class="app" data-drawer={drawer.value}>
      <h1 class="hidden-h1">Logs</h1>
      <TopBar />
      <Band />
      <main class={`main${isDocked.value ? " stacked" : ""}`}>
        <Facets />
        <Records />
        {selected.value !== "" && <Panel />}
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      <Drawers drawer={drawer} />
      <Announcer />
    </div>
  );
}

function Records() {
  const matched = inWindow.value?.matched ?? -1;
  const isEmpty = count.value === 0;
  return (
    <section class="records">
      <Notes />
      <TableTools />
      <div class="table-body">
        <div class="grid" role="grid" aria-label="Records" aria-rowcount={Math.max(matched, count.value)}>
          <TableHead />
          <RecordTable />
        </div>
        <MarkRuler />
      </div>
      {isEmpty && isStarted.value && <Empty />}
      <NewPill />
    </section>
  );
}

const spoken = signal("");

/* A screen reader hears a count every five seconds at most, not every record. */
function Announcer() {
  useEffect(() => {
    const timer = setInterval(() => {
      const text = isLive.peek() ? `${countText(count.peek())} records` : `${countText(fresh.peek())} new records`;
      if (text !== spoken.peek()) spoken.value = text;
    }, SPEAK_MS);
    return () => clearInterval(timer);
  }, []);
  return <div class="hidden-h1" role="status" aria-live="polite">{spoken.value}</div>;
}
