/* The query editor: CodeMirror in a shadow root, loaded when the query page is opened.

     keys -> [editor] -> draft -> check, run
     check -> underlines -> [editor]

   In a shadow root CodeMirror's styles are constructed sheets, which the page's policy allows;
   a style element would be refused. */

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, startCompletion } from "@codemirror/autocomplete";
import { standardKeymap, history, historyKeymap } from "@codemirror/commands";
import { EditorState, Prec } from "@codemirror/state";
import {
  drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, type KeyBinding, keymap, lineNumbers, placeholder,
  tooltips,
} from "@codemirror/view";

import { colours, newWords, setUnderlines, type Underline, underlineField } from "./colours.ts";
import { completionsAt, type Offer } from "./completions.ts";
import { theme } from "./theme.ts";

export interface Wiring {
  onChange: (text: string) => void;
  onRun: () => void;
  /** Each of these two returns whether there was something to do. */
  onEscape: () => boolean;
  onTab: () => boolean;
  offer: () => Offer;
}

/* A list that has just opened takes no key for a moment; Tab must not leave the editor meanwhile. */
const FRESH_MS = 90;

function acceptNow(view: EditorView): boolean {
  if (acceptCompletion(view)) return true;
  if (completionStatus(view.state) !== "active") return false;
  setTimeout(() => acceptCompletion(view), FRESH_MS);
  return true;
}

/* Left to itself the browser keeps the look of what is typed over in a style attribute, which the
   page's policy refuses, loudly. */
function replaceSelected(event: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  if (empty || event.inputType !== "insertText" || event.data === null || view.composing) return false;
  const text = event.data;
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert))) view.dispatch(insert());
  event.preventDefault();
  return true;
}

export class Editor {
  private readonly view: EditorView;

  constructor(host: HTMLElement, text: string, private readonly wiring: Wiring) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open", delegatesFocus: true });
    root.replaceChildren();
    this.view = new EditorView({ parent: root, root, state: this.state(text) });
  }

  private state(text: string): EditorState {
    const { wiring } = this;
    const offer = () => wiring.offer();
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(), closeBrackets(),
        EditorView.lineWrapping,
        placeholder("fields @timestamp, @message | filter level = \"ERROR\""),
        EditorView.contentAttributes.of({ "aria-label": "Query", spellcheck: "false", autocapitalize: "off" }),
        tooltips({ position: "fixed" }),
        autocompletion({ activateOnTypingDelay: 60, override: [(context) => completionsAt(context, offer())], icons: false, maxRenderedOptions: 60, tooltipClass: () => "offer" }),
        Prec.highest(keymap.of(this.keys())),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...standardKeymap]),
        colours(() => offer().vocabulary), underlineField, theme,
        EditorView.domEventHandlers({ beforeinput: replaceSelected }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) wiring.onChange(update.state.doc.toString());
        }),
      ],
    });
  }

  private keys(): KeyBinding[] {
    const run = () => {
      this.wiring.onRun();
      return true;
    };
    return [
      { key: "Ctrl-Enter", run }, { key: "Mod-Enter", run }, { key: "Ctrl-Space", run: startCompletion },
      { key: "Tab", run: (view) => acceptNow(view) || this.wiring.onTab() },
    ];
  }

  /** Keys that only matter when CodeMirror had no use for them. */
  listen(): () => void {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && this.wiring.onEscape()) event.preventDefault();
    };
    this.view.dom.addEventListener("keydown", onKeyDown);
    return () => this.view.dom.removeEventListener("keydown", onKeyDown);
  }

  /** Show another query; the caret goes to its end. */
  setText(text: string): void {
    const { length } = this.view.state.doc;
    if (this.view.state.doc.toString() === text) return;
    this.view.dispatch({ changes: { from: 0, to: length, insert: text }, selection: { anchor: text.length } });
  }

  underline(underlines: Underline[]): void {
    this.view.dispatch({ effects: setUnderlines.of(underlines) });
  }

  replace(start: number, end: number, text: string): void {
    this.view.dispatch({ changes: { from: start, to: end, insert: text }, selection: { anchor: start + text.length } });
    this.view.focus();
  }

  select(start: number, end: number): void {
    this.view.dispatch({ selection: { anchor: start, head: end }, scrollIntoView: true });
    this.view.focus();
  }

  /** Write text where the caret is. */
  type(text: string): void {
    const { from, to } = this.view.state.selection.main;
    this.replace(from, to, text);
  }

  /** Write text where the caret is, parted from the words around it. */
  insert(text: string): void {
    const { from, to } = this.view.state.selection.main;
    const before = this.view.state.sliceDoc(Math.max(0, from - 1), from);
    const blank = before === "" || /[\s(]/.test(before) ? "" : " ";
    this.replace(from, to, blank + text);
  }

  focus(atEnd = false): void {
    if (atEnd) this.view.dispatch({ selection: { anchor: this.view.state.doc.length } });
    this.view.focus();
  }

  refreshWords(): void {
    this.view.dispatch({ effects: newWords.of(null) });
  }

  destroy(): void {
    this.view.destroy();
  }
}
