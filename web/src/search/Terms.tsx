/* The search text as pills at rest, and letter under letter while it is written. */

import type { ComponentChildren } from "preact";

import { visible } from "../parts/text.ts";
import { parse, type Piece, SearchError } from "./parser.ts";

interface Mark {
  position: number;
  length: number;
}

function piecesOf(text: string): { pieces: Piece[]; mark: Mark | null } {
  try {
    return { pieces: parse(text).pieces, mark: null };
  } catch (error) {
    if (!(error instanceof SearchError)) throw error;
    return { pieces: [], mark: { position: error.position, length: error.length } };
  }
}

function Pill({ piece, text }: { piece: Piece; text: string }) {
  const raw = visible(text.slice(piece.start, piece.end));
  const { term } = piece;
  if (!term || piece.kind !== "term") {
    return <span class={piece.kind === "word" ? `term word${term?.negated ? " not" : ""}` : "op"}>{raw}</span>;
  }
  const split = raw.indexOf(term.operator) + term.operator.length;
  const head = raw.slice(0, split).replace(/^-/, "−");
  return <span class={`term${term.negated ? " not" : ""}`}><i>{head}</i>{raw.slice(split)}</span>;
}

/** The pills that are seen while the search bar is at rest. */
export function Pills({ text, mark }: { text: string; mark: Mark | null }) {
  const read = piecesOf(text);
  const wrong = read.mark ?? mark;
  if (wrong) return <span class="pills"><Marked text={text} mark={wrong} /></span>;
  return (
    <span class="pills">
      {read.pieces.map((piece) => <Pill key={piece.start} piece={piece} text={text} />)}
    </span>
  );
}

function Marked({ text, mark }: { text: string; mark: Mark }) {
  const end = Math.max(mark.position + 1, mark.position + mark.length);
  const wrong = text.slice(mark.position, end);
  return (
    <>
      {text.slice(0, mark.position)}
      <span class="wrong">{wrong === "" ? "\u00a0" : wrong}</span>
      {text.slice(end)}
    </>
  );
}

/** The same letters at the same places as in the input above, with grounds and the underline. */
export function Underlay({ text, mark }: { text: string; mark: Mark | null }) {
  if (mark) return <Marked text={text} mark={mark} />;
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const piece of piecesOf(text).pieces) {
    parts.push(text.slice(at, piece.start));
    const look = piece.kind === "term" ? `ground${piece.term?.negated ? " not" : ""}` : "";
    parts.push(<span class={look}>{text.slice(piece.start, piece.end)}</span>);
    at = piece.end;
  }
  parts.push(text.slice(at));
  return <>{parts}</>;
}
