/* The address bar as one signal; pages read and write it here and never touch `location`.

     history <-> [address] <-> pages

   Invariant: parameters that this module does not know are kept. */

import { computed, signal } from "@preact/signals";

const base = new URL(document.baseURI);

interface Place {
  path: string;
  params: URLSearchParams;
}

function read(): Place {
  const path = location.pathname.slice(base.pathname.length - 1) || "/";
  return { path, params: new URLSearchParams(location.search) };
}

const place = signal<Place>(read());

addEventListener("popstate", () => {
  place.value = read();
});

export const path = computed(() => place.value.path);

/** The value of a parameter, "" when it is absent. */
export function param(name: string): string {
  return place.value.params.get(name) ?? "";
}

export const query = computed(() => param("q"));
export const from = computed(() => param("from") || "-15m");
export const to = computed(() => param("to") || "now");
export const isLive = computed(() => param("live") === "1");
export const selected = computed(() => param("sel"));
export const isDescending = computed(() => param("sort") === "-ts");
export const view = computed(() => (param("view") === "json" ? "json" : "list"));
export const columns = computed(() => param("cols").split(",").filter((name) => name !== ""));
export const zone = computed(() => param("tz"));
/** Whether the range ends now, so that new records belong to it. */
export const endsNow = computed(() => to.value === "now");

function write(next: Place, push: boolean): void {
  const text = next.params.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
  const url = base.pathname.slice(0, -1) + next.path + (text === "" ? "" : `?${text}`);
  if (url === location.pathname + location.search) return;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  place.value = next;
}

/** Set parameters ("" removes one). A push makes a step that Back takes back. */
export function setParams(changes: Record<string, string>, push = false): void {
  const params = new URLSearchParams(place.value.params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") params.delete(name);
    else params.set(name, value);
  }
  write({ path: place.value.path, params }, push);
}

/** Go to a page of this application, such as "/logs?live=1". */
export function go(target: string, push = true): void {
  const url = new URL(target, "http://page");
  write({ path: url.pathname, params: url.searchParams }, push);
}

/** The whole address; with a range, relative times are pinned to it. */
export function link(range?: [number, number]): string {
  if (!range) return location.href;
  const url = new URL(location.href);
  url.searchParams.set("from", String(range[0]));
  url.searchParams.set("to", String(range[1]));
  url.searchParams.delete("live");
  return url.href;
}

/** Follow a click on an in-application link without loading the page anew. */
export function followLink(event: MouseEvent): void {
  const anchor = (event.target as Element).closest?.("a[data-page]");
  if (!anchor || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(anchor.getAttribute("data-page") ?? "/");
}
