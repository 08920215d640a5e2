/* On narrow screens: the bottom bar that opens rail, facets and time as drawers. */

import type { Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { go, path } from "../address/address.ts";
import { choiceCount } from "../facets/Facets.tsx";
import { Icon, type IconName } from "../parts/Icon.tsx";

export type Drawer = "" | "pages" | "facets" | "time";

const BUTTONS: { drawer: Drawer; icon: IconName; name: string }[] = [
  { drawer: "pages", icon: "menu", name: "Pages" },
  { drawer: "facets", icon: "filter", name: "Facets" },
  { drawer: "time", icon: "clock", name: "Time" },
];

interface Props {
  drawer: Signal<Drawer>;
  /** What the page calls its left side; "" where it has none. */
  side?: string;
  /** Whether the page is about a range of time. */
  withTime?: boolean;
}

export function Drawers({ drawer, side = "Facets", withTime = true }: Props) {
  useEffect(() => {
    document.documentElement.dataset.drawer = drawer.value;
    const close = (event: KeyboardEvent) => {
      if (event.key === "Escape") drawer.value = "";
    };
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("keydown", close);
      delete document.documentElement.dataset.drawer;
    };
  }, [drawer.value, path.value]);
  const choices = choiceCount();
  return (
    <nav class="drawers" aria-label="Drawers">
      {BUTTONS.filter((one) => (one.drawer !== "facets" || side !== "") && (one.drawer !== "time" || withTime)).map(({ drawer: name, icon, name: text }) => (
        <button key={name} aria-expanded={drawer.value === name}
          onClick={() => { drawer.value = drawer.value === name ? "" : name; }}>
          <Icon name={icon} />{name === "facets" ? side : text}
          {name === "facets" && choices > 0 && <b class="calm">{choices}</b>}
        </button>
      ))}
      <button onClick={() => go("/settings")}><Icon name="settings" />Settings</button>
    </nav>
  );
}
