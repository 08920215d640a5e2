/* The frame around every page, and which page the path means. */

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { go, path } from "../address/address.ts";
import { status } from "../api/health.ts";
import { Health } from "../pages/Health.tsx";
import { Logs } from "../pages/Logs.tsx";
import type { Query } from "../pages/Query.tsx";
import { Settings } from "../pages/Settings.tsx";
import { Welcome } from "../pages/Welcome.tsx";
import { Help } from "../dialogs/Help.tsx";
import { listenToKeys } from "./keys.ts";
import { Palette } from "../dialogs/Palette.tsx";
import { Rail } from "./Rail.tsx";

type Overlay = "" | "help" | "palette";

const TITLES: Record<string, string> = { "/logs": "Logs", "/query": "Query", "/system": "Health", "/settings": "Settings", "/welcome": "Start" };

function Page({ onHelp }: { onHelp: () => void }) {
  const here = path.value;
  if (here === "/logs") return <Logs onHelp={onHelp} />;
  if (here === "/query") return <LazyQuery onHelp={onHelp} />;
  if (here === "/system") return <Health onHelp={onHelp} />;
  if (here === "/settings") return <Settings onHelp={onHelp} />;
  if (here === "/welcome") return <Welcome onHelp={onHelp} />;
  if (here === "/") return <Home onHelp={onHelp} />;
  const one = /^\/logs\/(.+)$/.exec(here);
  return one ? <Forward to={`/logs?sel=${one[1]}`} /> : <Forward to="/" />;
}

const queryPage = signal<{ Query: typeof Query } | null>(null);
const queryFailure = signal("");

/* The query page and its editor are a chunk of their own: who only reads logs never fetches it. */
function LazyQuery({ onHelp }: { onHelp: () => void }) {
  useEffect(() => {
    if (queryPage.peek()) return;
    import("../pages/Query.tsx").then((found) => { queryPage.value = found; })
      .catch(() => { queryFailure.value = "The query page could not be fetched from the server; load it again."; });
  }, []);
  if (queryPage.value) return <queryPage.value.Query onHelp={onHelp} />;
  return <main class="app plain"><p class="note lv-error" role="alert" hidden={queryFailure.value === ""}>{queryFailure.value}</p></main>;
}

/* The start page while nothing is stored, the records as soon as there are some. */
function Home({ onHelp }: { onHelp: () => void }) {
  if (!status.value) return null;
  return status.value.total_records > 0 ? <Forward to="/logs?live=1" /> : <Welcome onHelp={onHelp} />;
}

function Forward({ to }: { to: string }) {
  useEffect(() => go(to, false), [to]);
  return null;
}

export function App() {
  const overlay = useSignal<Overlay>("");
  useEffect(() => listenToKeys({
    help: () => { overlay.value = "help"; },
    palette: () => { overlay.value = "palette"; },
  }), []);
  const close = () => { overlay.value = ""; };
  document.title = `${TITLES[path.value] ?? "Start"} · clerestory`;
  return (
    <>
      <Rail />
      <Page onHelp={() => { overlay.value = "help"; }} />
      {overlay.value === "help" && <Help onClose={close} />}
      {overlay.value === "palette" && <Palette onClose={close} />}
    </>
  );
}
