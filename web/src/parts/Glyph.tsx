/* A level's or a state's shape; shapes are CSS masks, so a row needs no node for its mark. */

export function Glyph({ name }: { name: string }) {
  return <span class={`glyph g-${name}`} aria-hidden="true" />;
}
