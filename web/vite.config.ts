/* Builds the page into the Python package; the base is relative because the server puts a
   <base href> into index.html, which is what makes deep paths and proxy prefixes work. */
import { readFileSync } from "node:fs";

import { defineConfig, type Plugin } from "vite";

/* The first paint waits for no second request: styles and the theme are part of the page. The
   server's policy allows exactly these two by their hashes. */
function inlined(): Plugin {
  return {
    name: "inlined",
    enforce: "post",
    transformIndexHtml: {
      order: "post",
      handler: (html, { bundle }) => {
        let page = html.replace("<!--theme-->", `<script>${readFileSync("src/theme.js", "utf8")}</script>`);
        for (const [name, file] of Object.entries(bundle ?? {})) {
          if (file.type !== "asset" || !name.endsWith(".css")) continue;
          const css = String(file.source);
          page = page.replace(/\s*<link rel="stylesheet"[^>]*>/, () => `<style>${css}</style>`);
          delete bundle?.[name];
        }
        return page;
      },
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [inlined()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/clerestory/ui/dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // One sheet, inlined above; chunks that are fetched later bring theirs as text (style/adopt.ts).
    cssCodeSplit: false,
  },
});
