/* A figure with its unit: the number in ink, the unit muted. */

import { durationParts } from "./figures.ts";

export function Duration({ ns }: { ns: number }) {
  const [number, unit] = durationParts(ns);
  return <>{number}<span class="u"> {unit}</span></>;
}
