/* Every setting of the server with its origin; below, what this browser prefers. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { askSettings } from "../api/client.ts";
import type { Setting } from "../api/types.ts";
import { preferences, prefer, type Preferences } from "../app/preferences.ts";
import { StatusLine } from "../app/StatusLine.tsx";
import { ThemeButton } from "../app/TopBar.tsx";
import { valueText, visible } from "../parts/text.ts";

const KEYS: [string, string][] = [["g l", "logs"], ["Ctrl K", "commands"]];

export function Settings({ onHelp }: { onHelp: () => void }) {
  const settings = useSignal<Setting[]>([]);
  const failure = useSignal("");
  const typed = useSignal("");
  useEffect(() => {
    askSettings().then((found) => { settings.value = found; })
      .catch((error: Error) => { failure.value = error.message; });
  }, []);
  const wanted = typed.value.trim().toLowerCase();
  const found = settings.value.filter((one) => `${one.key} ${one.help}`.toLowerCase().includes(wanted));
  return (
    <div class="app plain">
      <header class="topbar">
        <h1 class="page-title">Settings</h1>
        <input class="control grow" type="search" aria-label="Search settings" placeholder="Search settings"
          onInput={(event) => { typed.value = event.currentTarget.value; }} />
        <ThemeButton />
      </header>
      <main class="main page" tabIndex={0}>
        {failure.value && <div class="note lv-error" role="alert"><b class="strong">{visible(failure.value)}</b></div>}
        <Here />
        <section>
          <h2>Server <span class="muted">{found.length} of {settings.value.length}</span></h2>
          <SettingTable settings={found} />
        </section>
      </main>
      <StatusLine keys={KEYS} onHelp={onHelp} />
    </div>
  );
}

function SettingTable({ settings }: { settings: Setting[] }) {
  return (
    <table class="table settings">
      <thead><tr><th>Setting</th><th>Value</th><th>Default</th><th>From</th><th>What it does</th></tr></thead>
      <tbody>
        {settings.map((one) => (
          <tr key={one.key}>
            <td class="mono">{one.key}</td>
            <td class="mono strong">{valueText(one.value, 300)}{one.unit && <span class="u"> {one.unit}</span>}</td>
            <td class="mono muted">{valueText(one.default, 300)}</td>
            <td>{one.origin === "default" ? <span class="muted">default</span> : visible(one.origin)}</td>
            <td class="help-text">{visible(one.help)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface ChoiceProps<K extends keyof Preferences> {
  name: K;
  title: string;
  options: [Preferences[K], string][];
}

function Choice<K extends keyof Preferences>({ name, title, options }: ChoiceProps<K>) {
  return (
    <div class="preference">
      <span id={`p-${name}`}>{title}</span>
      <span class="segment" role="group" aria-labelledby={`p-${name}`}>
        {options.map(([value, text]) => (
          <button key={text} aria-pressed={preferences.value[name] === value}
            onClick={() => prefer({ [name]: value } as Partial<Preferences>)}>{text}</button>
        ))}
      </span>
    </div>
  );
}

function Here() {
  return (
    <section>
      <h2>This browser</h2>
      <Choice name="theme" title="Theme" options={[["system", "System"], ["day", "Day"], ["night", "Night"]]} />
      <Choice name="zone" title="Times" options={[["local", "Local"], ["utc", "UTC"]]} />
      <Choice name="density" title="Rows" options={[["comfortable", "Comfortable"], ["dense", "Dense"]]} />
      <Choice name="singleKeys" title="Single-letter keys" options={[[true, "On"], [false, "Off"]]} />
    </section>
  );
}
