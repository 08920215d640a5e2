/* A page whose chunk is fetched when it is first opened, and kept. */

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

type Shown = (props: { onHelp: () => void }) => JSX.Element;

interface Props {
  name: string;
  load: () => Promise<Shown>;
  onHelp: () => void;
}

const fetched = signal<Record<string, Shown>>({});
const failure = signal("");

export function Later({ name, load, onHelp }: Props) {
  useEffect(() => {
    failure.value = "";
    if (fetched.peek()[name]) return;
    load().then((found) => { fetched.value = { ...fetched.peek(), [name]: found }; })
      .catch(() => { failure.value = "This page could not be fetched from the server; load it again."; });
  }, [name]);
  const Page = fetched.value[name];
  if (Page) return <Page onHelp={onHelp} />;
  return <main class="app plain"><p class="note lv-error" role="alert" hidden={failure.value === ""}>{failure.value}</p></main>;
}
