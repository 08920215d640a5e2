/* One row of an aggregate, whole: every column with all of its text. */

import { setParams } from "../address/address.ts";
import type { Column } from "../api/insights.ts";
import { Icon } from "../parts/Icon.tsx";
import { copy } from "../parts/clipboard.ts";
import { oneLine, visible } from "../parts/text.ts";
import { offer } from "../query/offer.ts";
import { replace } from "../query/question.ts";
import { type Outcome, run } from "../query/run.ts";
import { timeText } from "./cells.ts";
import { type Drill, drillOf } from "./drill.ts";
import { openedRow, shownColumns } from "./ResultTable.tsx";

const TEXT_MAX = 200_000;

function look(drill: Drill, shown: Outcome): void {
  // The first and the last bin reach over the edges of what was asked.
  const [first, last] = [Number(shown.question.from), Number(shown.question.to)];
  const start = Math.max(first, drill.range?.[0] ?? first);
  const end = Math.min(last, drill.range?.[1] ?? last);
  replace(drill.query);
  setParams({ from: String(start), to: String(end), live: "" });
  void run();
}

export function RowPanel({ shown, index }: { shown: Outcome; index: number }) {
  const { result } = shown;
  const row = result.rows[index];
  if (!row) return null;
  const drill = drillOf(shown.question.query, result, row, offer().vocabulary);
  const pairs = shownColumns(result).map((i) => [result.columns[i] as Column, row[i] ?? null] as const);
  const json = () => JSON.stringify(Object.fromEntries(pairs.map(([column, cell]) => [column.name, cell])), null, 2);
  return (
    <aside class="panel" id="panel" aria-label="Row" tabIndex={-1}>
      <header>
        <div class="line">
          <h2 class="title">Row {index + 1}</h2>
          <span class="grow" />
          <button class="control quiet small icon-only" aria-label="Copy JSON" onClick={() => copy(json(), "JSON")}><Icon name="copy" /></button>
          <button class="control quiet small icon-only" aria-label="Close" onClick={() => { openedRow.value = null; }}><Icon name="close" /></button>
        </div>
      </header>
      {drill && (
        <div class="strip">
          <button class="control small" onClick={() => look(drill, shown)}>Show these records</button>
        </div>
      )}
      <dl class="row-cells" tabIndex={0} aria-label="Columns">
        {pairs.map(([column, cell]) => (
          <div key={column.name}>
            <dt>{oneLine(column.name, 200)}</dt>
            <dd>{cell === null ? <span class="muted">missing</span>
              : column.type === "time" ? <>{timeText(cell)} <span class="muted">{String(cell)} UTC</span></> : visible(String(cell).slice(0, TEXT_MAX))}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}
