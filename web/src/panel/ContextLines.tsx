/* The records around one, in the order in which its program wrote them. */

import type { RecordInContext, Row } from "../api/types.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { displayOf } from "../records/display.ts";
import { openRow } from "../records/viewport.ts";
import { fullTime, millisOf, partsOf } from "../time/clock.ts";

export function ContextLines({ around }: { around: RecordInContext }) {
  return (
    <div class="context" role="group" aria-label="Context">
      {around.before.map((row) => <Line key={row.id} row={row} />)}
      <Line row={around.record} isHere />
      {around.after.map((row) => <Line key={row.id} row={row} />)}
    </div>
  );
}

function Line({ row, isHere = false }: { row: Row; isHere?: boolean }) {
  const { level, message } = displayOf(row);
  const time = partsOf(millisOf(row.ts));
  return (
    <button class={`row lv-${level.look}${isHere ? " sel" : ""}`} onClick={() => openRow(row.id)}
      aria-current={isHere} title={fullTime(row.ts)}>
      <span class="t">{time.second}.{time.milli}</span>
      <Glyph name={level.look} />
      <span class="m">{message}</span>
    </button>
  );
}
