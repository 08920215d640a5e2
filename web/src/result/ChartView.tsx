/* The drawing above the table: which figure, which view, whose colour is whose. */

import { useSignal } from "@preact/signals";

import { setParams } from "../address/address.ts";
import { BarChart } from "../chart/BarChart.tsx";
import { barData, BARS_MAX, type Roles, rolesOf, timeData } from "../chart/series.ts";
import { TimeChart } from "../chart/TimeChart.tsx";
import { oneLine } from "../parts/text.ts";
import { chartOf } from "../query/check.ts";
import { chosenView, chooseView, measure, type View } from "../query/question.ts";
import { orderedRows } from "./ResultTable.tsx";
import type { Outcome } from "../query/run.ts";

const VIEWS: [View, string][] = [["line", "Line"], ["bars", "Bars"], ["table", "Table"]];

function possible(roles: Roles | null): View[] {
  if (!roles) return ["table"];
  return roles.time >= 0 ? ["line", "bars", "table"] : ["bars", "table"];
}

/** The view of the address when the result allows it, else the one that fits. */
export function viewOf(shown: Outcome, roles: Roles | null): View {
  const views = possible(roles);
  const wanted = chosenView.value as View;
  if (views.includes(wanted)) return wanted;
  const chart = chartOf(shown.question.query) ?? (roles && roles.time >= 0 ? "time" : "bar");
  if (chart === "none") return "table";
  const fitting = chart === "time" ? "line" : "bars";
  return views.includes(fitting) ? fitting : "table";
}

export function ViewSwitch({ view, roles }: { view: View; roles: Roles | null }) {
  const views = possible(roles);
  return (
    <span class="segment" role="group" aria-label="View">
      {VIEWS.map(([name, text]) => (
        <button key={name} aria-pressed={view === name} disabled={!views.includes(name)} onClick={() => chooseView(name)}
          title={views.includes(name) ? undefined : whyNot(name)}>{text}</button>
      ))}
    </span>
  );
}

function whyNot(view: View): string {
  return view === "line" ? "A line needs a time: stats … by bin(5m)" : "Bars need a figure: stats … by a field";
}

function figureOf(shown: Outcome, roles: Roles): number {
  const wanted = shown.result.columns.findIndex((column) => column.name === measure.value);
  return roles.figures.includes(wanted) ? wanted : (roles.figures[0] ?? 0);
}

export function ChartView({ shown, view }: { shown: Outcome; view: View }) {
  const { result, question } = shown;
  const roles = rolesOf(result);
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  if (!roles || view === "table") return null;
  const figure = figureOf(shown, roles);
  const isSplit = roles.time < 0 || roles.groups.length > 0;
  const title = isSplit ? (result.columns[figure]?.name ?? "") : roles.figures.map((i) => result.columns[i]?.name).join(", ");
  const turn = (name: string) => {
    const next = new Set(hidden.value);
    if (!next.delete(name)) next.add(name);
    hidden.value = next;
  };
  const head = (legend: { name: string; look: string }[], left: string) => (
    <div class="chart-head">
      <Figure shown={shown} roles={roles} figure={figure} isSplit={isSplit} />
      <span class="legends-row" role="group" aria-label="Series">
        {legend.map(({ name, look }) => (
          <button key={name} class={`legend ${look}`} aria-pressed={!hidden.value.has(name)} onClick={() => turn(name)}
            title={hidden.value.has(name) ? "Show" : "Hide"}>{oneLine(name, 60)}</button>
        ))}
      </span>
      {left && <span class="muted">{left}</span>}
    </div>
  );
  if (roles.time >= 0) {
    const data = timeData(result, roles, figure);
    const edges: [number, number] = [Number(question.from), Number(question.to)];
    return (
      <div class="chart-part">
        {head(data.series, data.left > 0 ? `${data.left} more groups are not drawn; the table has them` : "")}
        <TimeChart data={data} edges={Number.isNaN(edges[0]) ? [Infinity, -Infinity] : edges} look={view} hidden={hidden.value} title={oneLine(title, 200)} />
      </div>
    );
  }
  const rows = orderedRows(result).map((i) => result.rows[i] ?? []);
  const left = rows.length - BARS_MAX;
  return (
    <div class="chart-part">
      {head([], left > 0 ? `the first ${BARS_MAX} rows; ${left} more are in the table` : "")}
      <BarChart bars={barData(result, rows, roles, figure)} title={oneLine(title, 200)} />
    </div>
  );
}

/* A single figure is a title; several are a choice, unless all of them are drawn. */
function Figure({ shown, roles, figure, isSplit }: { shown: Outcome; roles: Roles; figure: number; isSplit: boolean }) {
  const name = (i: number) => oneLine(shown.result.columns[i]?.name ?? "", 80);
  if (!isSplit && roles.figures.length > 1) return null;
  if (!isSplit || roles.figures.length === 1) return <b class="strong mono">{name(figure)}</b>;
  return (
    <select class="control small figure-choice" aria-label="Figure" value={String(figure)}
      onChange={(event) => setParams({ y: shown.result.columns[Number(event.currentTarget.value)]?.name ?? "" }, true)}>
      {roles.figures.map((i) => <option key={i} value={String(i)}>{name(i)}</option>)}
    </select>
  );
}
