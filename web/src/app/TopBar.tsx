/* Search, time, live; link and theme. */

import { link } from "../address/address.ts";
import { lit } from "../band/overview.ts";
import { copy } from "../parts/clipboard.ts";
import { Icon } from "../parts/Icon.tsx";
import { SearchBar } from "../search/SearchBar.tsx";
import { LivePill } from "./LivePill.tsx";
import { isNight, toggleTheme } from "./preferences.ts";
import { TimePicker } from "./TimePicker.tsx";

export function copyLink(): void {
  void copy(link(lit.peek() ?? undefined), "Link");
}

export function ThemeButton() {
  return (
    <button class="control quiet icon-only" aria-label={isNight() ? "Use the day theme" : "Use the night theme"}
      title="Day or night (d)" onClick={toggleTheme}>
      <Icon name={isNight() ? "sun" : "moon"} />
    </button>
  );
}

export function TopBar() {
  return (
    <header class="topbar">
      <SearchBar />
      <TimePicker />
      <LivePill />
      <button class="control quiet icon-only" aria-label="Copy link" title="Copy link (y)" onClick={copyLink}><Icon name="link" /></button>
      <ThemeButton />
    </header>
  );
}
