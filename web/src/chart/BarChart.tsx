/* One figure a group as lying bars, in the order of the table. */

import { useSignal } from "@preact/signals";

import { oneLine } from "../parts/text.ts";
import { axisText, figureText, scaleOf } from "./scale.ts";
import type { Bar } from "./series.ts";
import { useSize } from "./TimeChart.tsx";

const ROW_PX = 24;
const NAME_SHARE = 0.28;
const NAME_PX_MAX = 280;
const FIGURE_PX = 88;
const TOP_PX = 20;
const LETTER_PX = 7.3;

interface Props {
  bars: Bar[];
  title: string;
}

export function BarChart({ bars, title }: Props) {
  const { element, size } = useSize([960, 208]);
  const under = useSignal(-1);
  const [width] = size;
  const names = Math.min(NAME_PX_MAX, Math.round(width * NAME_SHARE));
  const letters = Math.max(6, Math.floor((names - 16) / LETTER_PX));
  const scale = scaleOf(bars.map((bar) => bar.value), width > 600 ? 5 : 2);
  const inner = Math.max(40, width - names - FIGURE_PX);
  const x = (value: number) => names + ((value - scale.low) / (scale.high - scale.low)) * inner;
  const height = TOP_PX + bars.length * ROW_PX + 4;
  const summary = bars.map((bar) => `${oneLine(bar.name, 60)} ${figureText(bar.value)}`).join("; ");
  return (
    <div class="plot lying" ref={element} tabIndex={0} role="group" aria-label={title}>
      <svg role="img" aria-label={`${title}: ${summary}`} height={height} onPointerLeave={() => { under.value = -1; }}>
        {scale.ticks.map((value) => (
          <g key={value}>
            <path d={`M${Math.round(x(value)) + 0.5} ${TOP_PX}V${height}`} stroke={value === 0 ? "var(--rule-strong)" : "var(--rule)"} />
            <text class="axis" x={x(value)} y={13} text-anchor="middle">{axisText(value)}</text>
          </g>
        ))}
        {bars.map((bar, i) => {
          const y = TOP_PX + i * ROW_PX;
          const [left, right] = [x(Math.min(0, bar.value)), x(Math.max(0, bar.value))];
          return (
            <g key={i} class={`bar ${bar.look}`} onPointerEnter={() => { under.value = i; }}>
              <title>{oneLine(bar.name, 400)}: {figureText(bar.value)}</title>
              <rect x={0} y={y} width={width} height={ROW_PX} fill={under.value === i ? "var(--hover)" : "transparent"} />
              <text class="axis name" x={names - 12} y={y + 16} text-anchor="end">{oneLine(bar.name, letters)}</text>
              <rect x={left} y={y + 5} width={Math.max(1, right - left)} height={ROW_PX - 10} fill="var(--c)" />
              <text class="axis name" x={right + 8} y={y + 16}>{figureText(bar.value)}</text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
