/* The frame around every page, and which page the path means. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { go, param, path } from "../address/address.ts";
import { status } from "../api/health.ts";
import { Health } from "../pages/Health.tsx";
import { Logs } from "../pages/Logs.tsx";
import { Settings } from "../pages/Settings.tsx";
import { Welcome } from "../pages/Welcome.tsx";
import { Help } from "../dialogs/Help.tsx";
import { listenToKeys } from "./keys.ts";
import { Palette } from "../dialogs/Palette.tsx";
import { Later } from "./Later.tsx";
import { Rail } from "./Rail.tsx";

type Overlay = "" | "help" | "palette";

const TITLES: Record<string, string> = {
  "/logs": "Logs", "/traces": "Traces", "/map": "Map", "/query": "Query", "/sampling": "Sampling", "/system": "Health",
  "/settings": "Settings", "/welcome": "Start",
};
/* Pages in chunks of their own: who only reads logs never fetches them. */
const CHUNKS: Record<string, () => Promise<(props: { onHelp: () => void }) => JSX.Element>> = {
  "/query": async () => (await import("../pages/Query.tsx")).Query,
  "/traces": async () => (await import("../pages/Traces.tsx")).Traces,
  "/traces/": async () => (await import("../pages/Trace.tsx")).TracePage,
  "/map": async () => (await import("../pages/ServiceMap.tsx")).ServiceMapPage,
  "/sampling": async () => (await import("../pages/Sampling.tsx")).Sampling,
};

function Page({ onHelp }: { onHelp: () => void }) {
  const here = path.value;
  if (here === "/logs") return <Logs onHelp={onHelp} />;
  const chunk = here.startsWith("/traces/") ? "/traces/" : here;
  const load = CHUNKS[chunk];
  if (load) return <Later key={chunk} name={chunk} load={load} onHelp={onHelp} />;
  if (here === "/system") return <Health onHelp={onHelp} />;
  if (here === "/settings") return <Settings onHelp={onHelp} />;
  if (here === "/welcome") return <Welcome onHelp={onHelp} />;
  if (here === "/") return <Home onHelp={onHelp} />;
  const one = /^\/logs\/(.+)$/.exec(here);
  const trace = /^\/trace\/(.+)$/.exec(here);
  if (trace) return <Forward to={`/traces/${trace[1]}?span=${encodeURIComponent(param("span"))}`} />;
  return one ? <Forward to={`/logs?sel=${one[1]}`} /> : <Forward to="/" />;
}

/* The start page while nothing is stored, the records or the traces as soon as there are some. */
function Home({ onHelp }: { onHelp: () => void }) {
  if (!status.value) return null;
  const { total_records: records, total_spans: spans } = status.value;
  if (records > 0) return <Forward to="/logs?live=1" />;
  return spans > 0 ? <Forward to="/traces" /> : <Welcome onHelp={onHelp} />;
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
  document.title = `${TITLES[path.value] ?? (path.value.startsWith("/traces/") ? "Trace" : "Start")} · clerestory`;
  return (
    <>
      <Rail />
      <Page onHelp={() => { overlay.value = "help"; }} />
      {overlay.value === "help" && <Help onClose={close} />}
      {overlay.value === "palette" && <Palette onClose={close} />}
    </>
  );
}
