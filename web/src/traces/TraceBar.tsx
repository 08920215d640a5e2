/* The top bar of the pages that ask about many traces: search, time, link, theme. */

import { copyLink, ThemeButton } from "../app/TopBar.tsx";
import { TimePicker } from "../app/TimePicker.tsx";
import { Icon } from "../parts/Icon.tsx";
import { SearchBar } from "../search/SearchBar.tsx";

export function TraceBar({ placeholder }: { placeholder: string }) {
  return (
    <header class="topbar">
      <SearchBar placeholder={placeholder} />
      <TimePicker />
      <button class="control quiet icon-only" aria-label="Copy link" title="Copy link (y)" onClick={copyLink}><Icon name="link" /></button>
      <ThemeButton />
    </header>
  );
}
