/* What the records of the range have in common: values with counts, + keeps, − leaves out. */

import { signal } from "@preact/signals";

import { query } from "../address/address.ts";
import type { Facet, FacetCount } from "../api/types.ts";
import { facets } from "../band/overview.ts";
import { Icon } from "../parts/Icon.tsx";
import { levelLook } from "../parts/level.ts";
import { countText, valueText } from "../parts/text.ts";
import { chooseValue } from "../search/apply.ts";
import { choiceOf } from "../search/edit.ts";
import { parse } from "../search/parser.ts";

const FACETS_MAX = 8;
const OPEN_FIRST = 4;
const SHORT = 5;
const LONG_FIELDS = new Set(["level", "service"]);

const turned = signal<Record<string, boolean>>({});
const whole = signal<Record<string, boolean>>({});
const under = signal("");

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function byLevel(a: FacetCount, b: FacetCount): number {
  return levelLook(textOf(b.value)).number - levelLook(textOf(a.value)).number;
}

/* A value that was excluded counts nothing and the server leaves it out; it must stay to be
   taken back. */
function withExcluded(facet: Facet): FacetCount[] {
  const values = facet.field === "level" ? [...facet.values].sort(byLevel) : facet.values;
  const present = new Set(values.map((one) => textOf(one.value).toLowerCase()));
  try {
    const terms = parse(query.value).terms.filter((term) => term.field === facet.field && term.operator === ":");
    const missing = terms.flatMap((term) => term.values).filter((value) => !present.has(value.toLowerCase()));
    return [...values, ...missing.map((value) => ({ value, count: 0 }))];
  } catch {
    return values;
  }
}

/* Whole objects, such as an exception, are nothing to filter by. */
function isPlain(facet: Facet): boolean {
  return !facet.values.some((one) => textOf(one.value).startsWith("{"));
}

export function Facets() {
  return (
    <aside class="facets" aria-label="Facets" onMouseLeave={() => { under.value = ""; }}>
      <header><span class="grow">Facets</span></header>
      <div class="facet-list" tabIndex={0} role="region" aria-label="Facet values">
        {facets.value.filter(isPlain).slice(0, FACETS_MAX).map((facet, i) => (
          <FacetGroup key={facet.field} facet={facet} isFirst={i < OPEN_FIRST} />
        ))}
      </div>
    </aside>
  );
}

function FacetGroup({ facet, isFirst }: { facet: Facet; isFirst: boolean }) {
  const { field } = facet;
  const isOpen = turned.value[field] ?? isFirst;
  const values = withExcluded(facet);
  const isWhole = whole.value[field] ?? LONG_FIELDS.has(field);
  const shown = isWhole ? values : values.slice(0, SHORT);
  const total = Math.max(1, values.reduce((sum, one) => sum + one.count, 0));
  const turn = () => { turned.value = { ...turned.value, [field]: !isOpen }; };
  return (
    <div class="facet">
      <h3>
        <button class="facet-head" aria-expanded={isOpen} onClick={turn}>
          <Icon name={isOpen ? "down" : "right"} />
          <span class="mono cut">{valueText(field, 80)}</span>
          <span class="n">{countText(facet.distinct)}</span>
        </button>
      </h3>
      {isOpen && shown.map((one) => (
        <FacetValue key={textOf(one.value)} field={field} value={textOf(one.value)} count={one.count}
          share={one.count / total} />
      ))}
      {isOpen && values.length > shown.length && (
        <button class="more" onClick={() => { whole.value = { ...whole.value, [field]: true }; }}>
          {values.length - shown.length} more
        </button>
      )}
    </div>
  );
}

interface ValueProps {
  field: string;
  value: string;
  count: number;
  share: number;
}

/* The two buttons exist only where the pointer or the focus is: seventy values would need
   a hundred and forty nodes for them otherwise. */
function FacetValue({ field, value, count, share }: ValueProps) {
  const key = `${field}\u0000${value}`;
  const choice = choiceOf(query.value, field, value);
  const isUnder = under.value === key;
  const look = choice === "only" ? " on" : choice === "not" ? " off" : "";
  const width = { "--share": `${Math.max(share * 100, count > 0 ? 0.6 : 0)}%` };
  const level = field === "level" ? ` lv-${levelLook(value).look}` : "";
  const shown = field === "level" ? value.toLowerCase() : valueText(value, 120);
  const enter = () => { under.value = key; };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "Enter" || event.key === "+") chooseValue(field, value, "only");
    else if (event.key === "-" || event.key === "Delete") chooseValue(field, value, "not");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={`value${look}${level}${isUnder ? " hover" : ""}`} style={width} tabIndex={0} role="group"
      aria-label={`${shown}, ${count}${choice === "none" ? "" : `, ${choice}`}`}
      data-field={field} data-value={value} onMouseEnter={enter} onFocusCapture={enter} onKeyDown={onKeyDown}>
      <span class="name" title={shown}>{shown === "" ? "(empty)" : shown}</span>
      {isUnder && (
        <span class="pm">
          <button aria-label={`Only ${shown}`} title="Keep only these" onClick={() => chooseValue(field, value, "only")}>+</button>
          <button aria-label={`Not ${shown}`} title="Leave these out" onClick={() => chooseValue(field, value, "not")}>−</button>
        </span>
      )}
      <span class="n">{countText(count)}</span>
    </div>
  );
}

/** How many choices the facets hold, for the drawer's button. */
export function choiceCount(): number {
  try {
    return parse(query.value).terms.filter((term) => term.operator === ":").length;
  } catch {
    return 0;
  }
}
