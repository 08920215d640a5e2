/* The first run: lines to paste, and a page that moves on by itself when a record arrives. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { go } from "../address/address.ts";
import { sendTestRecord } from "../api/client.ts";
import { askHealth, status } from "../api/health.ts";
import { Tail } from "../api/tail.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { ThemeButton } from "../app/TopBar.tsx";
import { copy, say } from "../parts/clipboard.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { Icon } from "../parts/Icon.tsx";
import { countText } from "../parts/text.ts";
import { lengthText } from "../time/range.ts";
import { colourOf, waysOf } from "./ways.ts";
import { Windows } from "./Windows.tsx";

const KEYS: [string, string][] = [["g l", "logs"], ["Ctrl K", "commands"]];
const ASK_MS = 1000;

function openLogs(): void {
  go("/logs?live=1");
}

/* The socket is quick; asking once a second is what still works when there is no socket. */
function useFirstRecord(): void {
  useEffect(() => {
    const atStart = status.peek();
    const tail = new Tail((frame) => { if (frame.rows.length > 0) openLogs(); }, () => undefined);
    tail.start("");
    const timer = setInterval(async () => {
      await askHealth();
      const now = status.peek();
      if (!atStart || !now) return;
      if (now.total_records > atStart.total_records) openLogs();
      else if (now.total_spans > atStart.total_spans) go("/traces");
    }, ASK_MS);
    return () => {
      clearInterval(timer);
      tail.stop();
    };
  }, []);
}

export function Welcome({ onHelp }: { onHelp: () => void }) {
  useFirstRecord();
  const total = status.value?.total_records ?? 0;
  return (
    <div class="app welcome">
      <h1 class="hidden-h1">Start</h1>
      <header class="topbar"><span class="grow product">clerestory</span><span class="live still"><span class="dot" /><b>Listening</b></span><ThemeButton /></header>
      <Windows total={total} />
      <main class="main">
        <svg class="rays" viewBox="0 0 1384 708" preserveAspectRatio="none" aria-hidden="true">
          <defs><linearGradient id="ray" x1="0" y1="0" x2="0" y2="1"><stop class="ray-0" offset="0" /><stop class="ray-1" offset="1" /></linearGradient></defs>
          <path d="M1321 0H1378L1010 708H690z" fill="url(#ray)" />
        </svg>
        <div class="wrap">
          <h2>{total === 0 ? "Waiting for the first record" : "Send more records"}</h2>
          <p class="lead">Paste these lines into any Python program, or try without one: <span class="mono">clerestory demo</span></p>
          <section><Ways /><Waiting /></section>
          <section><Doors /><Next total={total} /></section>
        </div>
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
    </div>
  );
}

function Ways() {
  const chosen = useSignal(0);
  const ways = waysOf(new URL(".", document.baseURI).href.replace(/\/$/, ""));
  const way = ways[chosen.value] ?? ways[0];
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    chosen.value = (chosen.value + step + ways.length) % ways.length;
    const list = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => list.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };
  if (!way) return null;
  return (
    <>
      <div class="ways" role="tablist" aria-label="Ways" onKeyDown={onKeyDown}>
        {ways.map((one, i) => (
          <button key={one.name} role="tab" aria-selected={i === chosen.value} aria-controls="way" tabIndex={i === chosen.value ? 0 : -1}
            onClick={() => { chosen.value = i; }}>{one.name}</button>
        ))}
      </div>
      <div id="way" role="tabpanel" aria-label={way.name}>
        <Code lines={way.lines} />
        <p class="step">{way.note}</p>
      </div>
      <p class="step"><b>Rather not touch the program?</b> Start it through clerestory: what it logs lands here.</p>
      <Code lines="clerestory run -- python shop.py" prompt="$ " />
    </>
  );
}

function Code({ lines, prompt = "" }: { lines: string; prompt?: string }) {
  return (
    <div class={`code${prompt ? " short" : ""}`}>
      <button class="control small copy" onClick={() => copy(lines, "Lines")}><Icon name="copy" />Copy</button>
      <pre tabIndex={0} aria-label="Lines to paste">{prompt && <span class="muted prompt">{prompt}</span>}
        {prompt ? lines : colourOf(lines).map(([text, look], i) => (look ? <span key={i} class={look}>{text}</span> : text))}</pre>
    </div>
  );
}

function Waiting() {
  const started = useSignal(Date.now());
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { now.value = Date.now(); }, 1000);
    return () => clearInterval(timer);
  }, []);
  const send = () => {
    sendTestRecord().catch((error: Error) => say(error.message));
  };
  return (
    <div class="wait">
      <span class="live still"><span class="dot" /><b>Listening</b></span>
      <span class="muted">for {lengthText(Math.max(1000, now.value - started.value))}. The page opens Logs by itself when a record arrives.</span>
      <span class="grow" />
      <button class="control small" onClick={send}>Send a test record</button>
    </div>
  );
}

function Doors() {
  const doors = status.value?.doors ?? [];
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return (
    <div class="doors">
      <h3>Open doors{isHere && <span>this machine only</span>}</h3>
      {doors.map((door) => (
        <div class="d" key={`${door.port}${door.what}`}>
          <span class={door.open ? "lv-ok" : "lv-none"}><Glyph name={door.open ? "ok" : "none"} /></span>
          <span class="mono">{door.port}</span><span class="muted">{door.what}{!door.open && `, closed: ${door.why}`}</span>
        </div>
      ))}
    </div>
  );
}

function Next({ total }: { total: number }) {
  return (
    <div class="next">
      <h3>{total > 0 ? "Stored" : "Later"}</h3>
      {total > 0 && <div class="d"><button class="linklike" onClick={openLogs}>Look at {countText(total)} records</button></div>}
      <div class="d"><button class="linklike" onClick={() => go("/settings")}>See every setting and where it comes from</button></div>
    </div>
  );
}
