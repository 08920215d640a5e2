/* Colours of the query, and the wavy line under what is wrong with it. */

import { type Extension, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate, WidgetType } from "@codemirror/view";

import { tokensOf, type Vocabulary } from "./tokens.ts";

export interface Underline {
  start: number;
  end: number;
  message: string;
}

/* The server takes no longer query; beyond it letters are shown without colours. */
const COLOURED_MAX = 20_000;

const marks = new Map<string, Decoration>();

function markOf(kind: string): Decoration {
  let mark = marks.get(kind);
  if (!mark) marks.set(kind, (mark = Decoration.mark({ class: `tk-${kind}` })));
  return mark;
}

function coloured(view: EditorView, words: () => Vocabulary): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  const text = view.state.doc.sliceString(0, COLOURED_MAX);
  for (const { kind, start, end } of tokensOf(text, words())) builder.add(start, end, markOf(kind));
  return builder.finish();
}

/** Sent when the words of the language have arrived. */
export const newWords = StateEffect.define<null>();

export function colours(words: () => Vocabulary): Extension {
  return ViewPlugin.fromClass(class {
    decorations: DecorationSet;

    constructor(view: EditorView) {
      this.decorations = coloured(view, words);
    }

    update(update: ViewUpdate): void {
      const isNew = update.transactions.some((one) => one.effects.some((effect) => effect.is(newWords)));
      if (update.docChanged || isNew) this.decorations = coloured(update.view, words);
    }
  }, { decorations: (plugin) => plugin.decorations });
}

/* What is wrong at the very end has no letters; a blank bears the line. */
class Blank extends WidgetType {
  constructor(readonly message: string) {
    super();
  }

  override eq(other: Blank): boolean {
    return other.message === this.message;
  }

  override toDOM(): HTMLElement {
    const blank = document.createElement("span");
    blank.className = "wrong";
    blank.textContent = "\u00a0";
    blank.title = this.message;
    return blank;
  }
}

export const setUnderlines = StateEffect.define<Underline[]>();

function underlined(underlines: Underline[], length: number): DecorationSet {
  const ranges = underlines.map(({ start, end, message }) => {
    const first = Math.min(start, length);
    const last = Math.min(end, length);
    if (last <= first) return Decoration.widget({ widget: new Blank(message), side: 1 }).range(first);
    return Decoration.mark({ class: "wrong", attributes: { title: message } }).range(first, last);
  });
  return Decoration.set(ranges, true);
}

export const underlineField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(now, transaction) {
    let next = now.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(setUnderlines)) next = underlined(effect.value, transaction.newDoc.length);
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});
