/* What the editor can offer: the words of the language, the fields and groups that there are. */

import { computed, signal } from "@preact/signals";

import { askFieldShares, askGroups, askLanguage, type FieldShare, type Group, type Language } from "../api/insights.ts";
import { askSuggestions } from "../api/client.ts";
import type { Suggestion } from "../api/types.ts";
import type { Offer } from "../editor/completions.ts";
import { groups, range, scopeOf } from "./question.ts";

const NO_WORDS: Language = { commands: [], functions: [], keywords: [] };

export const language = signal<Language>(NO_WORDS);
export const fields = signal<FieldShare[]>([]);
export const known = signal<Group[]>([]);

const vocabulary = computed(() => ({
  commands: new Set(language.value.commands.map((one) => one.name.toLowerCase())),
  keywords: new Set(language.value.keywords.map((one) => one.toLowerCase())),
}));

function values(field: string, prefix: string, signal: AbortSignal): Promise<Suggestion[]> {
  return askSuggestions({ field, prefix, q: scopeOf(groups.peek()), ...range.peek() }, signal);
}

export function offer(): Offer {
  return {
    language: language.value, fields: fields.value, vocabulary: vocabulary.value,
    groups: known.value.map((group) => group.name), values,
  };
}

/** Read the words once; without them the editor still writes. */
export async function loadLanguage(): Promise<void> {
  if (language.peek() !== NO_WORDS) return;
  language.value = await askLanguage();
}

export async function loadFields(signal: AbortSignal): Promise<void> {
  const { from, to } = range.peek();
  const found = await askFieldShares(groups.peek(), from, to, signal);
  // The pointer to a record says nothing to a reader.
  fields.value = found.filter((field) => field.name !== "@ptr");
}

export async function loadGroups(signal: AbortSignal): Promise<void> {
  known.value = await askGroups("", signal);
}
