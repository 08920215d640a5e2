/* One trace: all of it (band), its spans (waterfall, by service, table), one of them (panel). */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { followLink } from "../address/address.ts";
import { Drawers, type Drawer } from "../app/Drawers.tsx";
import { pageCommands } from "../app/page-commands.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { copyLink, ThemeButton } from "../app/TopBar.tsx";
import { Icon } from "../parts/Icon.tsx";
import { oneLine, visible } from "../parts/text.ts";
import { SearchBar } from "../search/SearchBar.tsx";
import { adopt } from "../style/adopt.ts";
import styles from "../style/trace.css?inline";
import { listUrl } from "../traces/places.ts";
import { COMMANDS, keepPlace, openLog, showNamed, toLogs } from "../waterfall/keys.ts";
import { Minimap } from "../waterfall/Minimap.tsx";
import { SpanPanel } from "../waterfall/SpanPanel.tsx";
import { chosen, failure, isForsaken, isReading, leaveTrace, readTrace, setNow, trace, traceId, tree } from "../waterfall/state.ts";
import { SpanTable } from "../waterfall/tables/SpanTable.tsx";
import { TallyTable } from "../waterfall/tables/TallyTable.tsx";
import { view } from "../waterfall/tables/view.ts";
import { Limits, Shares, Toolbar } from "../waterfall/Toolbar.tsx";
import { Waterfall } from "../waterfall/Waterfall.tsx";

adopt(styles);

const KEYS: [string, string][] = [["↑ ↓", "span"], ["v", "view"], ["z", "zoom"], ["p", "critical path"], ["t", "log"], ["e", "next error"]];
const MOVE_MS = 200;
const REFRESH_MS = 2000;
/* A trace that was looked for too early may still be on its way. */
const LATE_MS = 60_000;

/* While a span is open its end moves, and what has arrived since is asked for. */
function useLife(): void {
  const isOpen = tree.value?.hasOpen === true && !isForsaken.value;
  const isAwaited = failure.value !== "" && trace.value === null;
  useEffect(() => {
    if (!isOpen) return undefined;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const timer = setInterval(() => { if (!document.hidden) setNow(); }, isStill ? REFRESH_MS : MOVE_MS);
    return () => clearInterval(timer);
  }, [isOpen]);
  useEffect(() => {
    if (!isOpen && !isAwaited) return undefined;
    const until = Date.now() + LATE_MS;
    const timer = setInterval(() => {
      if (!document.hidden && !isReading.peek() && (isOpen || Date.now() < until)) void readTrace(false);
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [isOpen, isAwaited]);
}

export function TracePage({ onHelp }: { onHelp: () => void }) {
  const drawer = useSignal<Drawer>("");
  const id = traceId.value;
  const told = trace.value;
  useLife();
  useEffect(() => { void readTrace(true); }, [id]);
  useEffect(() => { if (told) showNamed(); }, [told?.trace_id, told === null]);
  useEffect(() => { if (told) keepPlace(); }, [view.value]);
  useEffect(() => {
    pageCommands.value = COMMANDS;
    return () => {
      pageCommands.value = [];
      leaveTrace();
    };
  }, []);
  const node = tree.value?.byId.get(chosen.value);
  const back = listUrl();
  return (
    <div class="app trace-page" data-drawer={drawer.value}>
      <h1 class="hidden-h1">Trace {oneLine(told?.name ?? "", 200)}</h1>
      <header class="topbar">
        <a class="control" href={`.${back}`} data-page={back} onClick={followLink}><Icon name="left" /><span>Traces</span></a>
        <SearchBar placeholder="Search traces, e.g. service:api duration>250ms status:error" />
        <button class="control quiet icon-only" aria-label="Copy link" title="Copy link (y)" onClick={copyLink}><Icon name="link" /></button>
        <ThemeButton />
      </header>
      <Minimap />
      <main class="main">
        <section class="fall-side">
          {failure.value && <div class="note lv-error" role="alert"><span><b class="strong">{visible(failure.value)}</b>
            {told === null && <span class="muted"> A program sends its spans within seconds; this page asks again for a minute.</span>}</span></div>}
          <Toolbar />
          <Limits />
          {told && told.spans.length === 0 && <div class="note lv-none" role="status">No span of this trace is stored, only records that name it.</div>}
          {told && <Spans />}
          <Shares />
        </section>
        {node && <SpanPanel key={node.span.span_id} node={node} onOpenLogs={toLogs} onOpenLog={openLog} />}
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
      <Drawers drawer={drawer} side="" withTime={false} />
    </div>
  );
}

function Spans() {
  if (view.value === "services") return <TallyTable />;
  return view.value === "table" ? <SpanTable /> : <Waterfall onOpenLog={openLog} />;
}
