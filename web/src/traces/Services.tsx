/* The services of a trace as chips in their colours; what does not fit is counted. */

import type { ServiceShare } from "../api/traces.ts";
import { Glyph } from "../parts/Glyph.tsx";
import { countText, oneLine, seriesOf } from "../parts/text.ts";

const CHIPS_MAX = 5;

export function Chip({ name }: { name: string }) {
  return <span class={`svc series-${seriesOf(name)}`}><span class="cut">{oneLine(name, 60) || "no service"}</span></span>;
}

export function Services({ services, first }: { services: ServiceShare[]; first: string }) {
  const inOrder = [...services].sort((a, b) => Number(b.name === first) - Number(a.name === first) || b.errors - a.errors || b.spans - a.spans);
  const rest = inOrder.slice(CHIPS_MAX);
  return (
    <span class="chips">
      {inOrder.slice(0, CHIPS_MAX).map((one) => (
        <span class="chip" key={one.name} title={`${oneLine(one.name, 200)}: ${countText(one.spans)} spans, ${countText(one.errors)} failed`}>
          <Chip name={one.name} />{one.errors > 0 && <span class="lv-error"><Glyph name="error" /></span>}
        </span>
      ))}
      {rest.length > 0 && <span class="muted" title={rest.map((one) => oneLine(one.name, 60)).join(", ")}>+{rest.length}</span>}
    </span>
  );
}
