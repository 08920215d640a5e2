/* One line of a form: name, input, what it means, and what is wrong with it. */

import { visible } from "../parts/text.ts";

interface FieldProps {
  name: string;
  label: string;
  value: string;
  help?: string;
  wrong?: string;
  disabled?: boolean;
  type?: "text" | "number";
  min?: number;
  max?: number;
  step?: number | "any";
  maxLength?: number;
  required?: boolean;
  onInput: (value: string) => void;
}

export function Field({ name, label, help, wrong, onInput, type = "text", min, max, step, maxLength, ...rest }: FieldProps) {
  const said = [help ? `${name}-help` : "", wrong ? `${name}-wrong` : ""].filter((id) => id !== "").join(" ");
  const shared = {
    class: "control", id: name, name, autocomplete: "off", "aria-invalid": Boolean(wrong), "aria-describedby": said || undefined,
    onInput: (event: InputEvent) => onInput((event.target as HTMLInputElement).value), ...rest,
  } as const;
  return (
    <div class={`form-field${wrong ? " wrong" : ""}`}>
      <label for={name}>{label}</label>
      <span>
        {type === "number" ? <input {...shared} type="number" min={min} max={max} step={step} /> : <input {...shared} type="text" spellcheck={false} maxLength={maxLength} />}
        {help && <span class="muted field-help" id={`${name}-help`}>{help}</span>}
        {wrong && <span class="said-wrong" id={`${name}-wrong`} role="alert">{visible(wrong)}</span>}
      </span>
    </div>
  );
}

/** The field that a refusal names, or "" where it names none. */
export function fieldOf(message: string, names: string[]): string {
  const text = message.toLowerCase();
  return names.find((name) => text.includes(name.toLowerCase()) || text.includes(name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase())) ?? "";
}
