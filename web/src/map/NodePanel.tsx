/* One service, or what one calls: its figures, who calls it, what it calls, where to look next. */

import { followLink, setParams } from "../address/address.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { Icon } from "../parts/Icon.tsx";
import { countText, oneLine, seriesOf } from "../parts/text.ts";
import { quote } from "../search/edit.ts";
import { Duration } from "../traces/Figure.tsx";
import { rateText, shareText } from "../traces/figures.ts";
import { searchUrl } from "../traces/places.ts";
import { type Graph, healthOf, type MapNode } from "./graph.ts";
import { choose, graph, hops, length_ms } from "./state.ts";

export function closeNode(): void {
  choose("");
  document.querySelector<HTMLElement>(".map-box, .map-table")?.focus();
}

/** The search whose traces a node is about. */
export function searchOf(node: MapNode): string {
  return node.isOutside ? `peer=${quote(node.name)}` : `service=${quote(node.name)}`;
}

const WORDS = { "": ["none", "WELL"], warn: ["warn", "SOME FAIL"], bad: ["error", "FAILING"] } as const;

export function NodePanel({ node }: { node: MapNode }) {
  const [look, word] = WORDS[healthOf(node.errors, node.requests)];
  const edges = graph.value?.edges ?? [];
  return (
    <aside class="panel node-panel" aria-label="Service" tabIndex={-1} id="panel">
      <header>
        <div class="line">
          <span class={`state lv-${look}`}><Glyph name={look} />{word}</span>
          <span class="muted">{node.isOutside ? `${node.kind}, known from its callers` : "service"}</span>
          <span class="grow" />
          <button class="control quiet small icon-only" aria-label="Close" onClick={closeNode}><Icon name="close" /></button>
        </div>
        <h2 class="title">{oneLine(node.name, 300) || "no name"}</h2>
      </header>
      <div class="strip" onClick={followLink}>
        <Link to={searchUrl("/traces", searchOf(node))} text="traces" />
        <Link to={searchUrl("/traces", `${searchOf(node)} status:error`)} text="failed" />
        {!node.isOutside && <Link to={searchUrl("/logs", `service=${quote(node.name)}`)} text="logs" />}
        <span class="grow" />
        <span class="segment" role="group" aria-label="How much is drawn">
          {([[0, "All"], [1, "1 hop"], [2, "2 hops"]] as const).map(([count, text]) => (
            <button key={count} aria-pressed={hops.value === count} onClick={() => setParams({ hops: count === 0 ? "" : String(count) })}>{text}</button>
          ))}
        </span>
      </div>
      <div class="tab-body" tabIndex={0} role="region" aria-label="Figures">
        <dl class="big-figures">
          <div><dt>rate</dt><dd>{rateText(node.requests, length_ms.value)}<span class="u"> /s</span></dd></div>
          <div><dt>failed</dt><dd>{shareText(node.errors / Math.max(1, node.requests))}<span class="u"> %</span></dd></div>
          <div><dt>p50</dt><dd>{node.requests > 0 ? <Duration ns={node.p50_ns} /> : "–"}</dd></div>
          <div><dt>p95</dt><dd>{node.requests > 0 ? <Duration ns={node.p95_ns} /> : "–"}</dd></div>
        </dl>
        <p class="pad muted">{countText(node.requests)} requests, {countText(node.errors)} failed, in the time that is shown.</p>
        <Calls title="Called by" edges={edges.filter((edge) => edge.to === node.id)} end="from" />
        <Calls title="Calls" edges={edges.filter((edge) => edge.from === node.id)} end="to" />
      </div>
    </aside>
  );
}

function Link({ to, text }: { to: string; text: string }) {
  return <a href={`.${to}`} data-page={to}>{text}</a>;
}

function Calls({ title, edges, end }: { title: string; edges: Graph["edges"]; end: "from" | "to" }) {
  if (edges.length === 0) return null;
  return (
    <section class="section">
      <h3>{title}<span class="more">rate, failed, p95</span></h3>
      <table class="table"><tbody>
        {edges.map((edge) => {
          const name = end === "from" ? edge.caller : edge.callee;
          return (
            <tr key={edge[end]}>
              <td><button class={`svc series-${seriesOf(name)}`} onClick={() => choose(edge[end])}><span class="cut">{oneLine(name, 120)}</span></button></td>
              <td class="num">{rateText(edge.calls, length_ms.value)}<span class="u">/s</span></td>
              <td class={`num share ${healthOf(edge.errors, edge.calls)}`}>{shareText(edge.errors / Math.max(1, edge.calls))} <span class="u">%</span></td>
              <td class="num"><Duration ns={edge.p95_ns} /></td>
            </tr>
          );
        })}
      </tbody></table>
    </section>
  );
}
