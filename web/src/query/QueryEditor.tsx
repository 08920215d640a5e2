/* The editor on the page: the chunk is fetched, its text and the draft are kept the same. */

import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { Editor } from "../editor/editor.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { visible } from "../parts/text.ts";
import { takeTyped } from "../search/handover.ts";
import { type Fault, faults } from "./check.ts";
import { language, offer } from "./offer.ts";
import { draft, write } from "./question.ts";
import { run, stop, isRunning } from "./run.ts";

/** The editor in force; null until its chunk has arrived. */
export const editor = signal<Editor | null>(null);
const missing = signal("");

/** Take over the suggestion for what is wrong; false when there is none. */
export function applySuggestion(fault: Fault | undefined = faults.peek().find((one) => one.replacement !== "")): boolean {
  if (!fault || fault.replacement === "" || !editor.peek()) return false;
  editor.peek()?.replace(fault.start, fault.end, fault.replacement);
  return true;
}

function onEscape(): boolean {
  if (!isRunning.peek()) return false;
  stop();
  return true;
}

async function open(host: HTMLElement): Promise<() => void> {
  const { Editor } = await import("../editor/editor.ts");
  if (!host.isConnected) return () => undefined;
  const made = new Editor(host, draft.peek(), {
    onChange: (text) => { if (text !== draft.peek()) write(text); },
    onRun: () => void run(),
    onEscape,
    onTab: () => applySuggestion(),
    offer,
  });
  const stops = [
    made.listen(),
    effect(() => made.setText(draft.value)),
    effect(() => made.underline(faults.value)),
    effect(() => { if (language.value) made.refreshWords(); }),
  ];
  editor.value = made;
  // Where a finger points, the focus would open a keyboard over the page.
  if (!matchMedia("(pointer: coarse)").matches) made.focus(true);
  const typed = takeTyped();
  if (typed !== "") made.type(typed);
  return () => {
    for (const one of stops) one();
    made.destroy();
  };
}

export function QueryEditor() {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let close = () => undefined as void;
    let isGone = false;
    if (host.current) {
      open(host.current).then((closing) => {
        close = closing;
        if (isGone) close();
      }).catch(() => { missing.value = "the editor could not be fetched from the server; load the page again"; });
    }
    return () => {
      isGone = true;
      editor.value = null;
      close();
    };
  }, []);
  return (
    <>
      <div class="query-editor" ref={host} data-ready={editor.value !== null} />
      {missing.value && <div class="note lv-error" role="alert">{missing.value}</div>}
      <Faults />
    </>
  );
}

const FAULTS_MAX = 3;

function placeOf(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

function Faults() {
  const found = faults.value;
  return (
    <div role="status" class="notes faults">
      {found.slice(0, FAULTS_MAX).map((fault, i) => <FaultNote key={`${fault.start} ${fault.message}`} fault={fault} isFirst={i === 0} />)}
    </div>
  );
}

/* The server's words as a sentence; what stands in backticks is code. */
function Told({ text }: { text: string }) {
  const parts = visible(text).replace(/\.$/, "").split("`");
  const sentence = (part: string) => part.charAt(0).toUpperCase() + part.slice(1);
  return <>{parts.map((part, i) => (i % 2 === 1 ? <code class="mono" key={i}>{part}</code> : i === 0 ? sentence(part) : part))}</>;
}

function FaultNote({ fault, isFirst }: { fault: Fault; isFirst: boolean }) {
  const { replacement, hint, message } = fault;
  const hasKey = isFirst && replacement !== "";
  return (
    <div class="note lv-error fault">
      <span class="state lv-error"><Glyph name="error" /></span>
      <button class="linklike mono" title="Go there" onClick={() => editor.peek()?.select(fault.start, fault.end)}>{placeOf(draft.value, fault.start)}</button>
      <span>
        <b class="strong"><Told text={message} />.</b>
        {replacement !== "" && <> Did you mean <code class="mono">{visible(replacement)}</code>?</>}
        {hint !== "" && <> <Told text={hint} />.</>}
        {isFirst && <span class="muted"> Nothing was run.</span>}
      </span>
      <span class="grow" />
      {replacement !== "" && (
        <button class="control small" onClick={() => applySuggestion(fault)}>
          Use <span class="mono">{visible(replacement)}</span>{hasKey && <kbd class="key">Tab</kbd>}
        </button>
      )}
    </div>
  );
}
