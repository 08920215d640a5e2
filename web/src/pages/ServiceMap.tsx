/* Who calls whom: the map, the same as a table, one service of it.

     address -> map, layout -> drawing, panel */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { go, setParams } from "../address/address.ts";
import { Drawers, type Drawer } from "../app/Drawers.tsx";
import { pageCommands } from "../app/page-commands.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { shiftWindow, zoom } from "../app/TimePicker.tsx";
import { healthOf } from "../map/graph.ts";
import { Drawing } from "../map/Drawing.tsx";
import { CallTable, NodeTable } from "../map/MapTable.tsx";
import { closeNode, NodePanel, searchOf } from "../map/NodePanel.tsx";
import { chosen, failure, graph, isReading, isTable, left, map, part, place, readMap, step } from "../map/state.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { say } from "../parts/clipboard.ts";
import { countText, oneLine } from "../parts/text.ts";
import { Notes } from "../records/Notes.tsx";
import { adopt } from "../style/adopt.ts";
import styles from "../style/map.css?inline";
import { GroupSelect } from "../traces/GroupSelect.tsx";
import { countHeat } from "../traces/heat.ts";
import { HeatBand } from "../traces/HeatBand.tsx";
import { TraceBar } from "../traces/TraceBar.tsx";
import { searchUrl } from "../traces/places.ts";
import { counted, scope } from "../traces/search.ts";

adopt(styles);

const KEYS: [string, string][] = [["arrows", "service"], ["Esc", "close"], ["t", "traces"], ["l", "logs"], ["[ ]", "time"]];

function chosenNode() {
  return graph.peek()?.nodes.find((node) => node.id === chosen.peek());
}

function toTraces(): void {
  const node = chosenNode();
  go(searchUrl("/traces", node ? searchOf(node) : scope.peek().q));
}

function toLogs(): void {
  const node = chosenNode();
  if (node && !node.isOutside) go(searchUrl("/logs", searchOf(node)));
  else say("choose a service first");
}

const COMMANDS = [
  { key: "ArrowRight", name: "The service to the right", run: () => step(1, 0) },
  { key: "ArrowLeft", name: "The service to the left", run: () => step(-1, 0) },
  { key: "j", name: "The service below", run: () => step(0, 1) },
  { key: "k", name: "The service above", run: () => step(0, -1) },
  { key: "Escape", name: "Close the service", run: closeNode },
  { key: "t", name: "The traces of the service", run: toTraces },
  { key: "l", name: "The records of the service", run: toLogs },
  { key: "[", name: "Earlier", run: () => shiftWindow(-1) },
  { key: "]", name: "Later", run: () => shiftWindow(1) },
  { key: "-", name: "Zoom out", run: () => zoom(2) },
  { key: "+", name: "Zoom in", run: () => zoom(0.5) },
  { key: "", name: "Map or table", run: () => setParams({ view: isTable.peek() ? "" : "table" }, true) },
];

export function ServiceMapPage({ onHelp }: { onHelp: () => void }) {
  const drawer = useSignal<Drawer>("");
  const asked = JSON.stringify(scope.value);
  useEffect(() => { void readMap(); }, [asked]);
  useEffect(() => { void countHeat(); }, [asked, counted.value]);
  useEffect(() => { void place(); }, [part.value]);
  useEffect(() => {
    pageCommands.value = COMMANDS;
    return () => { pageCommands.value = []; };
  }, []);
  const isEmpty = graph.value?.nodes.length === 0;
  const node = graph.value?.nodes.find((one) => one.id === chosen.value);
  return (
    <div class="app map-page" data-drawer={drawer.value}>
      <h1 class="hidden-h1">Service map</h1>
      <TraceBar placeholder="Of traces that match, e.g. env:prod status:error" />
      <HeatBand />
      <main class="main">
        <section class="map-side">
          <Notes />
          {failure.value && <div class="note lv-error" role="alert">{failure.value}</div>}
          <Tools />
          {isReading.value && <div class="progress" />}
          {isEmpty && <NoCalls />}
          {!isEmpty && (isTable.value ? <div class="map-tables"><NodeTable /><CallTable /></div> : <><Drawing /><NodeTable /></>)}
        </section>
        {node && <NodePanel node={node} />}
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      <Drawers drawer={drawer} side="" />
    </div>
  );
}

function Tools() {
  const all = graph.value;
  const nodes = all?.nodes ?? [];
  const failing = nodes.filter((node) => healthOf(node.errors, node.requests) === "bad");
  const some = nodes.filter((node) => healthOf(node.errors, node.requests) === "warn").length;
  return (
    <div class="toolbar">
      {failing.length > 0
        ? <span class="state lv-error"><Glyph name="error" />{failing.length === 1 ? `${oneLine(failing[0]?.name ?? "", 60)} fails` : `${failing.length} fail`}</span>
        : nodes.length > 0 && <span class={some > 0 ? "state lv-warn" : "muted"}>{some > 0 ? <><Glyph name="warn" />{some} with failures</> : "Nothing fails"}</span>}
      {all && <span class="muted wide">{countText(all.nodes.length)} services and peers, {countText(all.edges.length)} calls between them</span>}
      {left.value > 0 && <span class="muted">+{countText(left.value)} more; the busiest are drawn, a search narrows</span>}
      {map.value?.limited && <span class="muted">the rarest calls are left out</span>}
      <span class="grow" />
      <GroupSelect />
      <span class="segment" role="group" aria-label="View">
        <button aria-pressed={!isTable.value} onClick={() => setParams({ view: "" }, true)}>Map</button>
        <button aria-pressed={isTable.value} onClick={() => setParams({ view: "table" }, true)}>Table</button>
      </span>
    </div>
  );
}

function NoCalls() {
  const { q } = scope.value;
  return (
    <div class="empty" role="status">
      <span><b class="strong">{q === "" ? "No span in this time." : "No trace matches in this time."}</b>{" "}
        <button class="control small" onClick={() => (q === "" ? go("/traces") : setParams({ q: "" }, true))}>{q === "" ? "See how to send some" : "Clear the search"}</button></span>
    </div>
  );
}
