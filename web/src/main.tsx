/* Starts the page. */

import { render } from "preact";

import { watchHealth } from "./api/health.ts";
import { App } from "./app/App.tsx";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/records.css";
import "./style/panel.css";
import "./style/pages.css";
import "./style/narrow.css";

watchHealth();
const place = document.getElementById("app");
if (place) {
  place.textContent = "";
  render(<App />, place);
}
