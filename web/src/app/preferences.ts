/* What the reader of this browser prefers; kept in localStorage, never on the server. */

import { effect, signal } from "@preact/signals";

export interface Preferences {
  theme: "system" | "day" | "night";
  zone: string;
  density: "comfortable" | "dense";
  singleKeys: boolean;
  recent: string[];
}

const NAME = "clerestory.preferences";
const RECENT_MAX = 12;
const initial: Preferences = {
  theme: "system", zone: "local", density: "comfortable", singleKeys: true, recent: [],
};

function load(): Preferences {
  try {
    return { ...initial, ...(JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Preferences>) };
  } catch {
    return initial;
  }
}

export const preferences = signal<Preferences>(load());

effect(() => {
  const { theme } = preferences.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(NAME, JSON.stringify(preferences.value));
  } catch {
    // A browser that stores nothing still shows everything; the choice lasts for this page.
  }
});

export function prefer(changes: Partial<Preferences>): void {
  preferences.value = { ...preferences.peek(), ...changes };
}

export function isNight(): boolean {
  const { theme } = preferences.value;
  if (theme !== "system") return theme === "night";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function toggleTheme(): void {
  prefer({ theme: isNight() ? "day" : "night" });
}

export function remember(search: string): void {
  const text = search.trim();
  if (text === "") return;
  const others = preferences.peek().recent.filter((one) => one !== text);
  prefer({ recent: [text, ...others].slice(0, RECENT_MAX) });
}
