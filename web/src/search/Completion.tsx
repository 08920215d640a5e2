/* The list under the search bar: operators, fields, values with count and share, recent. */

import { Icon } from "../parts/Icon.tsx";
import { Keys } from "../parts/Key.tsx";
import { countText, oneLine } from "../parts/text.ts";
import type { Option } from "./completion-source.ts";

const TITLES = { field: "Fields", operator: "Operators", value: "Values", recent: "Recent" };

export function optionId(index: number): string {
  return `option-${index}`;
}

interface Props {
  options: Option[];
  chosen: number;
  isOpen: boolean;
  onTake: (option: Option) => void;
}

export function Completion({ options, chosen, isOpen, onTake }: Props) {
  const total = Math.max(1, ...options.map((option) => option.count ?? 0));
  return (
    <div class="menu completion" hidden={!isOpen}>
      <div id="completion" role="listbox" aria-label="Completions">
        {options.map((option, i) => (
          <Line key={option.kind + option.text} option={option} index={i} isChosen={i === chosen} total={total}
            title={options[i - 1]?.kind === option.kind ? "" : TITLES[option.kind]} onTake={onTake} />
        ))}
      </div>
      <div class="foot">
        <Keys of="↑ ↓" text="choose" /><Keys of="Tab" text="take" /><Keys of="Enter" text="run" />
      </div>
    </div>
  );
}

interface LineProps {
  option: Option;
  index: number;
  isChosen: boolean;
  total: number;
  title: string;
  onTake: (option: Option) => void;
}

function Line({ option, index, isChosen, total, title, onTake }: LineProps) {
  const take = (event: MouseEvent) => {
    // The input keeps the focus, else the list would close before the click arrives.
    event.preventDefault();
    onTake(option);
  };
  const share = option.count === null ? 0 : (option.count / total) * 100;
  return (
    <>
      {title && <div class="option-title" role="presentation">{title}</div>}
      <div class="option" role="option" id={optionId(index)} aria-selected={isChosen} onMouseDown={take}>
        <span class="muted">{option.kind === "recent" ? <Icon name="clock" /> : sign(option.kind)}</span>
        <span class="mono cut">{oneLine(option.text, 200)}</span>
        <span class="muted cut">
          {option.count !== null && <span class="share" style={{ width: `${share}%` }} />}{option.hint}
        </span>
        <span class="num">{option.count === null ? "" : countText(option.count)}</span>
      </div>
    </>
  );
}

function sign(kind: Option["kind"]): string {
  return kind === "value" ? "=" : kind === "field" ? "·" : "";
}
