/* Saved queries: CloudWatch's query definitions, one store for both. */

import { computed, signal } from "@preact/signals";

import { setParams } from "../address/address.ts";
import { askSaved, deleteSaved, putSaved, type Saved } from "../api/insights.ts";
import { say } from "../parts/clipboard.ts";
import { draft, groups, replace, savedId } from "./question.ts";
import { failure, run } from "./run.ts";

export const saved = signal<Saved[]>([]);
/** The saved query that the editor began with. */
export const current = computed(() => saved.value.find((one) => one.id === savedId.value) ?? null);
export const isChanged = computed(() => current.value !== null && current.value.query !== draft.value);

async function attempt(what: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    await loadSaved();
    return true;
  } catch (error) {
    failure.value = `${what}: ${(error as Error).message}`;
    return false;
  }
}

export async function loadSaved(): Promise<void> {
  const found = await askSaved();
  saved.value = found.sort((a, b) => a.name.localeCompare(b.name));
}

/** Save the query of the editor under a name; the same name means the same entry. */
export async function saveAs(name: string): Promise<boolean> {
  const known = saved.peek().find((one) => one.name === name);
  const entry = { name, query: draft.peek(), groups: groups.peek(), ...(known ? { id: known.id } : {}) };
  let id = "";
  const isDone = await attempt("nothing was saved", async () => { id = (await putSaved(entry)).id; });
  if (isDone) {
    setParams({ saved: id });
    say(`“${name}” saved`);
  }
  return isDone;
}

export async function rename(entry: Saved, name: string): Promise<void> {
  const { id, query, groups: own } = entry;
  await attempt("nothing was renamed", () => putSaved({ id, name, query, groups: own }));
}

export async function remove(entry: Saved): Promise<void> {
  const isDone = await attempt("nothing was deleted", () => deleteSaved(entry.id));
  if (!isDone) return;
  if (savedId.peek() === entry.id) setParams({ saved: "" });
  say(`“${entry.name}” deleted`);
}

export function openSaved(entry: Saved): void {
  replace(entry.query, { groups: entry.groups, saved: entry.id });
  void run();
}
