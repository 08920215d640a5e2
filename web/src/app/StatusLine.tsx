/* The bottom line: is everything stored, how far behind, what was lost; right, the keys. */

import { absent_ms, status } from "../api/health.ts";
import { word } from "../parts/clipboard.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { Keys } from "../parts/Key.tsx";
import { countText, sizeParts } from "../parts/text.ts";
import { clockText } from "../time/clock.ts";

interface Props {
  keys: [string, string][];
  onHelp: () => void;
}

export function StatusLine({ keys, onHelp }: Props) {
  return (
    <footer class="status">
      <Condition />
      {word.value && <b>{word.value}</b>}
      <span class="right">
        {keys.map(([of, text]) => <Keys key={of} of={of} text={text} />)}
        <button class="all-keys" onClick={onHelp}><kbd class="key">?</kbd> all keys</button>
      </span>
    </footer>
  );
}

function figure(value: number | null): string {
  if (value === null) return "–";
  return value >= 100 ? countText(Math.round(value)) : value.toFixed(value > 0 ? 1 : 0);
}

function Condition() {
  const now = status.value;
  if (absent_ms.value > 0) {
    return <span class="state lv-error"><Glyph name="error" />The server has not answered since {clockText(absent_ms.value)}</span>;
  }
  if (!now) return <span>Asking the server</span>;
  const lost = now.dropped + now.rejected;
  const [size, unit] = sizeParts(now.store_bytes);
  const [free, freeUnit] = sizeParts(now.disk_free_bytes);
  return (
    <>
      {lost === 0
        ? <span class="state lv-ok"><Glyph name="ok" /><b>{now.total_records + now.total_spans > 0 ? "Everything stored" : "Ready"}</b></span>
        : <span class="state lv-warn"><Glyph name="warn" />{countText(lost)} not stored</span>}
      <span>lag <b>{figure(now.lag_s)}</b> s</span>
      <span><b>{figure(now.records_per_s)}</b> records/s</span>
      <span>store <b>{size}</b> {unit}, <b>{free}</b> {freeUnit} free</span>
      <span>dropped <b>{countText(now.dropped)}</b></span>
      <span>rejected <b>{countText(now.rejected)}</b></span>
    </>
  );
}
