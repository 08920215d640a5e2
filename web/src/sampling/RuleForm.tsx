/* A sampling rule to write or change. */

import { useSignal } from "@preact/signals";

import { createRule, type SamplingRule, updateRule } from "../api/xray.ts";
import { Dialog } from "../dialogs/Dialog.tsx";
import { oneLine, visible } from "../parts/text.ts";
import { Field, fieldOf } from "./fields.tsx";

const EMPTY: SamplingRule = {
  RuleName: "", ResourceARN: "*", Priority: 100, FixedRate: 0.05, ReservoirSize: 1, ServiceName: "*", ServiceType: "*", Host: "*",
  HTTPMethod: "*", URLPath: "*", Version: 1,
};
const DEFAULT = "Default";
const FIELDS = ["RuleName", "Priority", "ReservoirSize", "FixedRate", "ServiceName", "ServiceType", "HTTPMethod", "URLPath", "ResourceARN", "Host"];
const MATCHERS: [keyof SamplingRule, string][] = [
  ["ServiceName", "Service name"], ["ServiceType", "Service type"], ["Host", "Host"], ["HTTPMethod", "HTTP method"], ["URLPath", "URL path"], ["ResourceARN", "Resource ARN"],
];

interface Props {
  rule: SamplingRule | null;
  onDone: (text: string) => void;
  onClose: () => void;
}

/* Of the default rule X-Ray lets only the two figures be changed. */
function changesOf(rule: SamplingRule, isDefault: boolean): Partial<SamplingRule> {
  const { RuleName, FixedRate, ReservoirSize } = rule;
  if (isDefault) return { RuleName, FixedRate, ReservoirSize };
  const { RuleARN: _arn, Version: _version, ...rest } = rule;
  return rest;
}

export function RuleForm({ rule, onDone, onClose }: Props) {
  const draft = useSignal<SamplingRule>(rule ?? EMPTY);
  const failure = useSignal("");
  const isDefault = rule?.RuleName === DEFAULT;
  const where = fieldOf(failure.value, FIELDS);
  const wrong = (name: string) => (where === name ? failure.value : "");
  const set = (changes: Partial<SamplingRule>) => { draft.value = { ...draft.value, ...changes }; };
  const submit = (event: Event) => {
    event.preventDefault();
    const asked = rule ? updateRule(changesOf(draft.value, isDefault)) : createRule(draft.value);
    asked.then(() => onDone(`rule ${oneLine(draft.value.RuleName, 40)} stored`)).catch((error: Error) => { failure.value = error.message; });
  };
  return (
    <Dialog title={rule ? "Edit the rule" : "New rule"} onClose={onClose}>
      <form class="sampling-form" onSubmit={submit}>
        <h2>{rule ? `Rule ${oneLine(rule.RuleName, 64)}` : "New rule"}</h2>
        {failure.value && where === "" && <p class="note lv-error" role="alert">{visible(failure.value)}</p>}
        <Field name="RuleName" label="Name" value={draft.value.RuleName} wrong={wrong("RuleName")} disabled={rule !== null} required maxLength={32}
          onInput={(RuleName) => set({ RuleName })} />
        <Field name="Priority" label="Priority" type="number" min={1} max={9999} value={String(draft.value.Priority)} wrong={wrong("Priority")} disabled={isDefault} required
          help="1 to 9999; the lowest that matches decides" onInput={(text) => set({ Priority: Number(text) })} />
        <Field name="ReservoirSize" label="A second" type="number" min={0} value={String(draft.value.ReservoirSize)} wrong={wrong("ReservoirSize")} required
          help="so many requests a second are traced in any case" onInput={(text) => set({ ReservoirSize: Number(text) })} />
        <Field name="FixedRate" label="Then" type="number" min={0} max={1} step="any" value={String(draft.value.FixedRate)} wrong={wrong("FixedRate")} required
          help="0 to 1: the share of the rest" onInput={(text) => set({ FixedRate: Number(text) })} />
        <fieldset disabled={isDefault}>
          <legend>Matches <span class="muted">* is any text, ? any character</span></legend>
          {MATCHERS.map(([name, label]) => (
            <Field key={name} name={name} label={label} value={String(draft.value[name])} wrong={wrong(name)} required onInput={(text) => set({ [name]: text })} />
          ))}
        </fieldset>
        <p class="form-foot"><button class="control" type="button" onClick={onClose}>Cancel</button><button class="control primary" type="submit">Store</button></p>
      </form>
    </Dialog>
  );
}
