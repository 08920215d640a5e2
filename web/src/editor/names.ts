/* How a query writes a field's name. */

const PLAIN = /^[A-Za-z_@][A-Za-z0-9_@]*(?:\.[A-Za-z0-9_@]+)*$/;

/** A field's name bare when the language lets it be, else in backticks. */
export function fieldText(name: string): string {
  return PLAIN.test(name) ? name : `\`${name.replaceAll("`", "")}\``;
}
