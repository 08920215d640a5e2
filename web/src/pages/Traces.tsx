/* The traces: how long they took (band), each of them (list).

     address -> heat map, list -> one trace */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { go } from "../address/address.ts";
import { Drawers, type Drawer } from "../app/Drawers.tsx";
import { pageCommands } from "../app/page-commands.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { shiftWindow, zoom } from "../app/TimePicker.tsx";
import { say } from "../parts/clipboard.ts";
import { Notes } from "../records/Notes.tsx";
import { adopt } from "../style/adopt.ts";
import styles from "../style/traces.css?inline";
import { countHeat } from "../traces/heat.ts";
import { HeatBand } from "../traces/HeatBand.tsx";
import { TraceBar } from "../traces/TraceBar.tsx";
import { cursor, isDue, isLoading, loadTraces, move, moveTo, moveToFailed, sort, traces } from "../traces/list.ts";
import { NoTraces } from "../traces/NoTraces.tsx";
import { mapUrl, openLogs, traceUrl } from "../traces/places.ts";
import { counted, scope } from "../traces/search.ts";
import { ListTools, TraceList } from "../traces/TraceList.tsx";
import { millisOf } from "../time/clock.ts";

adopt(styles);

const KEYS: [string, string][] = [["j k", "move"], ["Enter", "open"], ["e", "next error"], ["t", "its logs"], ["[ ]", "time"]];
const TICK_MS = 1000;

function here() {
  return traces.peek().find((one) => one.trace_id === cursor.peek());
}

function logsHere(): void {
  const one = here();
  if (one) openLogs(one.trace_id, "", millisOf(one.ts), millisOf(one.ts) + one.duration_ns / 1e6);
  else say("move to a trace first (j k)");
}

function openHere(): void {
  const one = here();
  if (one) go(traceUrl(one.trace_id, { span: "", log: "" }));
}

function seek(step: 1 | -1): void {
  if (!moveToFailed(step)) say(`no ${step > 0 ? "later" : "earlier"} failed trace in the list`);
}

const COMMANDS = [
  { key: "j", name: "Next trace", run: () => move(1) },
  { key: "k", name: "Previous trace", run: () => move(-1) },
  { key: "Enter", name: "Open the trace", run: openHere },
  { key: "g", name: "First trace", run: () => moveTo(0) },
  { key: "G", name: "Last trace of the list", run: () => moveTo(Infinity) },
  { key: "e", name: "Next failed trace", run: () => seek(1) },
  { key: "E", name: "Previous failed trace", run: () => seek(-1) },
  { key: "t", name: "The records of the trace", run: logsHere },
  { key: "l", name: "The records of the trace", run: logsHere },
  { key: "[", name: "Earlier", run: () => shiftWindow(-1) },
  { key: "]", name: "Later", run: () => shiftWindow(1) },
  { key: "-", name: "Zoom out", run: () => zoom(2) },
  { key: "+", name: "Zoom in", run: () => zoom(0.5) },
  { key: "", name: "The map of these traces", run: () => go(mapUrl()) },
];

export function Traces({ onHelp }: { onHelp: () => void }) {
  const drawer = useSignal<Drawer>("");
  const asked = JSON.stringify([scope.value, sort.value]);
  const drawn = JSON.stringify([scope.value, counted.value]);
  useEffect(() => { void loadTraces(); }, [asked]);
  useEffect(() => { void countHeat(); }, [drawn]);
  useEffect(() => {
    pageCommands.value = COMMANDS;
    const timer = setInterval(() => {
      if (!isDue()) return;
      void loadTraces();
      void countHeat();
    }, TICK_MS);
    return () => {
      clearInterval(timer);
      pageCommands.value = [];
    };
  }, []);
  return (
    <div class="app traces-page" data-drawer={drawer.value}>
      <h1 class="hidden-h1">Traces</h1>
      <TraceBar placeholder="Search traces, e.g. service:api duration>250ms status:error" />
      <HeatBand />
      <main class="main">
        <section class="trace-side">
          <Notes />
          <ListTools />
          {isLoading.value && <div class="progress" />}
          {traces.value.length > 0 && <TraceList />}
          <NoTraces />
        </section>
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      <Drawers drawer={drawer} side="" />
    </div>
  );
}
