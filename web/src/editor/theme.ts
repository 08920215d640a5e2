/* How the editor looks: the tokens of the page, which reach into the shadow root. */

import { EditorView } from "@codemirror/view";

const OPTION = ".cm-tooltip.offer > ul > li";

export const theme = EditorView.theme({
  "&": { fontSize: "13px", color: "var(--text)", backgroundColor: "var(--bg)", maxHeight: "40vh" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "20px", overflow: "auto", scrollbarWidth: "thin" },
  ".cm-content": { padding: "8px 0", minHeight: "76px", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 16px 0 4px" },
  ".cm-cursor": { borderLeft: "2px solid var(--accent)" },
  ".cm-gutters": { backgroundColor: "var(--bg)", color: "var(--muted)", border: "0", fontSize: "12px" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "44px", padding: "0 12px 0 0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { backgroundColor: "var(--selected)" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".tk-comment": { color: "var(--muted)", fontStyle: "italic" },
  ".tk-command": { color: "var(--syn-word)", fontWeight: "600" },
  ".tk-keyword": { color: "var(--syn-word)", fontWeight: "600" },
  ".tk-function": { color: "var(--syn-function)" },
  ".tk-text": { color: "var(--syn-text)" },
  ".tk-number": { color: "var(--syn-number)" },
  ".tk-pipe": { color: "var(--muted)" },
  ".cm-specialChar": { color: "var(--level-error)" },
  ".wrong": { textDecoration: "underline wavy var(--bar-error) 1.5px", textUnderlineOffset: "4px", textDecorationSkipInk: "none" },
  ".cm-tooltip.offer": {
    border: "0", borderRadius: "var(--radius-large)", backgroundColor: "var(--bg)", padding: "4px 0", zIndex: "var(--z-menu)",
    boxShadow: "var(--shadow-edge), var(--shadow-menu)",
  },
  ".cm-tooltip.offer > ul": { fontFamily: "var(--font-mono)", fontSize: "12px", maxHeight: "264px", minWidth: "280px", maxWidth: "min(560px, 92vw)" },
  [OPTION]: { display: "flex", gap: "12px", alignItems: "center", height: "24px", padding: "0 12px !important", color: "var(--text)" },
  [`${OPTION}[aria-selected]`]: { backgroundColor: "var(--selected) !important", color: "var(--text) !important", boxShadow: "inset 3px 0 0 var(--accent)" },
  ".cm-tooltip.offer > ul > completion-section": {
    borderBottom: "0", padding: "4px 12px 2px", font: "12px/16px var(--font-ui)", color: "var(--muted)", opacity: "1",
  },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { marginLeft: "auto", fontStyle: "normal", color: "var(--muted)", overflow: "hidden", textOverflow: "ellipsis" },
  ".cm-tooltip.cm-completionInfo": {
    border: "0", borderRadius: "var(--radius)", backgroundColor: "var(--raised)", color: "var(--text)", padding: "8px 12px", font: "12px/18px var(--font-ui)",
    boxShadow: "var(--shadow-edge), var(--shadow-menu)", maxWidth: "320px",
  },
  "@media (max-width: 640px)": { ".cm-tooltip.cm-completionInfo": { display: "none" } },
});
