/* Styles of a chunk that is fetched later, as a constructed sheet.

   The page's policy refuses a style element, and the build has inlined the one sheet that there is. */

export function adopt(css: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}
