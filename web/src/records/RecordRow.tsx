/* One record, one line. Drawn again only when something it shows has changed. */

import { Component } from "preact";

import { millisOf, partsOf } from "../time/clock.ts";
import { columnText, displayOf, jsonLine } from "./display.ts";
import { isGap, type Item } from "./ring.ts";

export interface RowProps {
  item: Item;
  top: number;
  index: number;
  ariaIndex: number;
  isSelected: boolean;
  isFocused: boolean;
  isNewMinute: boolean;
  isJson: boolean;
  withDate: boolean;
  columns: string[];
  attributeMax: number;
  zone: string;
}

export class RecordRow extends Component<RowProps> {
  shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    for (const name in next) {
      if (next[name as keyof RowProps] !== now[name as keyof RowProps]) return true;
    }
    return false;
  }

  render() {
    const { item, top, index, ariaIndex } = this.props;
    const style = { transform: `translateY(${top}px)` };
    if (!isGap(item)) return this.renderRecord(style);
    return (
      <div class="gap at" style={style} role="row" aria-rowindex={ariaIndex} id={`row-${index}`}>
        <span role="gridcell">
          {item.text}, <button class="linklike" onClick={item.run}>{item.action}</button>
        </span>
      </div>
    );
  }

  private className(): string {
    const { item, isSelected, isFocused, isNewMinute } = this.props;
    if (isGap(item)) return "";
    const { level } = displayOf(item);
    const wash = level.number >= 40 ? " wash" : "";
    const state = (isSelected ? " sel" : "") + (isFocused ? " focus" : "");
    return `row at lv-${level.look}${wash}${state}${isNewMinute ? " minute" : ""}`;
  }

  private renderRecord(style: { transform: string }) {
    const { item, index, ariaIndex, isSelected, isJson, withDate, columns, zone } = this.props;
    if (isGap(item)) return null;
    const display = displayOf(item);
    const time = partsOf(millisOf(item.ts), zone);
    return (
      <div class={this.className()} style={style} role="row" id={`row-${index}`}
        aria-rowindex={ariaIndex} aria-selected={isSelected} data-index={index}>
        <span class="t" role="gridcell"
          data-minute={`${withDate ? `${time.date.slice(5)} ` : ""}${time.minute}:`}>{time.second}.{time.milli}</span>
        <span class="l" role="gridcell" data-field="level" data-value={item.level}>{display.level.word}</span>
        <span class="s" role="gridcell" data-field={item.service ? "service" : "logger"}
          data-value={item.service || item.logger}>{display.service}</span>
        {columns.map((name) => (
          <span class="c" role="gridcell" key={name} data-field={name} data-value={columnText(item, name)}>
            {columnText(item, name)}
          </span>
        ))}
        <span class="m" role="gridcell">{isJson ? jsonLine(item) : this.renderMessage()}</span>
      </div>
    );
  }

  private renderMessage() {
    const { item, attributeMax } = this.props;
    if (isGap(item)) return null;
    const { message, badge, attributes } = displayOf(item);
    const parts: preact.ComponentChildren[] = [message];
    if (badge) parts.push(" ", <span class="x">{badge}</span>);
    for (const [key, value] of attributes.slice(0, attributeMax)) {
      parts.push(" ", <span class="k">{key}=</span>, value);
    }
    const rest = attributes.slice(attributeMax);
    if (rest.length > 0) {
      parts.push(<span class="k"> {rest.map(([key, value]) => `${key}=${value}`).join(" ")}</span>);
    }
    return parts;
  }
}
