/* How the server is, and how the programs that send here get their records out. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { askPrograms } from "../api/client.ts";
import { status } from "../api/health.ts";
import type { DestinationCounts, Program } from "../api/types.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { ThemeButton } from "../app/TopBar.tsx";
import { countText, oneLine, sizeParts, visible } from "../parts/text.ts";
import { fullTime } from "../time/clock.ts";
import { lengthText } from "../time/range.ts";

const EVERY_MS = 5000;
const KEYS: [string, string][] = [["g l", "logs"], ["Ctrl K", "commands"]];

export function Health({ onHelp }: { onHelp: () => void }) {
  const programs = useSignal<Program[] | null>(null);
  const failure = useSignal("");
  useEffect(() => {
    const ask = () => {
      askPrograms().then((found) => { programs.value = found; failure.value = ""; })
        .catch((error: Error) => { failure.value = error.message; });
    };
    ask();
    const timer = setInterval(() => { if (!document.hidden) ask(); }, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="app plain">
      <header class="topbar"><h1 class="page-title">Health</h1><span class="grow" /><ThemeButton /></header>
      <main class="main page" tabIndex={0}>
        {failure.value && <div class="note lv-error" role="alert"><b class="strong">{visible(failure.value)}</b></div>}
        <Server />
        <section>
          <h2>Programs <span class="muted">what they say about their own delivery</span></h2>
          {programs.value?.length === 0 && (
            <p class="muted">No program has reported yet. One does with the first batch that it sends to this server.</p>
          )}
          {programs.value?.map((one) => <ProgramTable key={one.spool} program={one} />)}
        </section>
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
    </div>
  );
}

function sizeText(bytes: number): string {
  return sizeParts(bytes).join(" ");
}

function sumText(counts: Record<string, number> | undefined): string {
  const parts = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  return parts.length === 0 ? "0" : parts.map(([why, count]) => `${countText(count)} ${why}`).join(", ");
}

function ProgramTable({ program }: { program: Program }) {
  const { counts } = program;
  const who = oneLine(`${program.service || "a program"} on ${program.host || "?"}, process ${program.pid ?? "?"}`, 200);
  const destinations = Object.entries(counts.destinations ?? {});
  return (
    <article class="program" aria-label={who}>
      <h3>{who} <span class="muted">heard {lengthText(program.seen_s_ago * 1000)} ago</span></h3>
      <p class="muted">
        made {countText(counts.made_records ?? 0)}, waiting {sizeText(counts.backlog_bytes ?? 0)},
        {" "}dropped {sumText(counts.dropped)}, left out {sumText(counts.suppressed)}, masked {sumText(counts.masked)}
      </p>
      <table class="table destinations">
        <thead><tr>
          <th>Destination</th><th class="num">Sent</th><th class="num">Retries</th><th class="num">Dead letters</th>
          <th class="num">Oldest waits</th><th>State</th>
        </tr></thead>
        <tbody>{destinations.map(([name, own]) => <DestinationRow key={name} name={name} own={own} />)}</tbody>
      </table>
    </article>
  );
}

function stateOf(own: DestinationCounts): [string, string] {
  if (own.hold) return ["lv-error", "held: somebody has to act"];
  if (!own.worker_alive) return ["lv-error", "not running"];
  if (own.last_error) return ["lv-warn", "failing, tried again"];
  return ["lv-info", "delivering"];
}

function DestinationRow({ name, own }: { name: string; own: DestinationCounts }) {
  const [look, text] = stateOf(own);
  return (
    <tr>
      <td class="mono">{oneLine(name, 120)}</td>
      <td class="num mono">{countText(own.sent_records)}</td>
      <td class="num mono">{countText(own.retries)}</td>
      <td class="num mono">{countText(own.dead_lettered)}</td>
      <td class="num mono">{lengthText(own.oldest_age_s * 1000)}</td>
      <td class={look}><b class="strong">{text}</b>{own.last_error && <span class="help-text"> {oneLine(own.last_error, 500)}</span>}</td>
    </tr>
  );
}

function Server() {
  const now = status.value;
  if (!now) return null;
  const refused = Object.entries(now.refused).filter(([, count]) => count > 0);
  const facts: [string, string][] = [
    ["Version", now.version],
    ["Started", `${fullTime(`${now.started_ms}000000`).slice(0, 19)}, ${lengthText(now.now_ms - now.started_ms)} ago`],
    ["Records", countText(now.total_records)],
    ["Spans", countText(now.total_spans)],
    ["Arriving", `${now.records_per_s?.toFixed(1) ?? "unknown"} a second, ${now.lag_s?.toFixed(1) ?? "unknown"} s behind`],
    ["Store", `${sizeText(now.store_bytes)} in ${now.data_dir}, ${sizeText(now.disk_free_bytes)} free`],
    ["Kept for", `${now.retention_days} days`],
    ["Dropped", countText(now.dropped)],
    ["Rejected", countText(now.rejected)],
    ["Refused", refused.length === 0 ? "0" : refused.map(([why, count]) => `${why} ${countText(count)}`).join(", ")],
  ];
  return (
    <section>
      <h2>Server</h2>
      <dl class="facts">
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{visible(value)}</dd></div>)}
      </dl>
    </section>
  );
}
