/* The start page's band: twenty dark windows, one a minute; the first record lights the last. */

import { countText } from "../parts/text.ts";

const COUNT = 20;
const WIDTH = 1384;
const PANE = WIDTH / COUNT;

function arch(i: number): string {
  const x = (i * PANE + 6).toFixed(1);
  return `M${x} 95V44a${(PANE / 2 - 6).toFixed(1)} 14 0 01${(PANE - 12).toFixed(1)} 0V95z`;
}

const dark = Array.from({ length: COUNT - 1 }, (_, i) => arch(i)).join("");

export function Windows({ total }: { total: number }) {
  return (
    <section class="band" aria-label="Records over time">
      <svg class="chart" viewBox={`0 0 ${WIDTH} 118`} preserveAspectRatio="none" role="img" aria-label="The last twenty minutes">
        <defs>
          <pattern id="dark" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <path d="M.5 0V6" stroke="var(--hatch)" />
          </pattern>
        </defs>
        <path d={dark} fill="var(--shade)" stroke="var(--rule-strong)" />
        <path d={dark} fill="url(#dark)" />
        <path d={arch(COUNT - 1)} fill="var(--lit)" stroke="var(--accent)" stroke-width="2" />
        <path d={`M0 96.500H${WIDTH}`} stroke="var(--rule-strong)" />
      </svg>
      <div class="minutes" aria-hidden="true">
        {[20, 15, 10, 5].map((minute) => <span key={minute}>−{minute} m</span>)}
        <span class="now">now</span>
      </div>
      <div class="caption"><span><b>{countText(total)}</b> records</span>
        <span class="wide">each window is one minute; the first record lights the one on the right</span></div>
    </section>
  );
}
