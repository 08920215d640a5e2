/* What a chart says of the place that is pointed at. */

import { oneLine } from "../parts/text.ts";
import { figureText } from "./scale.ts";

const LINES_MAX = 12;
const HALF_PX = 110;

interface Props {
  x: number;
  width: number;
  title: string;
  lines: [name: string, look: string, value: number | null][];
}

export function Tip({ x, width, title, lines }: Props) {
  const side = x > width / 2 ? { right: `${Math.max(4, width - x + 12)}px` } : { left: `${Math.min(width - HALF_PX, x + 12)}px` };
  const known = lines.filter(([, , value]) => value !== null).sort((a, b) => (b[2] ?? 0) - (a[2] ?? 0));
  return (
    <div class="tip" role="status" style={side}>
      <b class="strong">{title}</b>
      {known.slice(0, LINES_MAX).map(([name, look, value]) => (
        <div key={name}><span class={`legend ${look}`}>{oneLine(name, 60)}</span><b>{figureText(value ?? 0)}</b></div>
      ))}
      {known.length === 0 && <div class="muted">no rows</div>}
    </div>
  );
}
