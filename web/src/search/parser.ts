/* Reads the search text into terms, for the pills and for the place of an error.

     search bar -> [parser] -> pills, wavy underline
                -> server, which parses the same grammar again and runs it

   Invariant: tests/data/search_cases.json decides for this parser and for the server's. */

export type Operator = ":" | "=" | "!=" | ">" | ">=" | "<" | "<=" | "word" | "phrase";

export interface Term {
  negated: boolean;
  field: string;
  operator: Operator;
  values: string[];
  start: number;
  end: number;
}

export interface Piece {
  kind: "term" | "word" | "operator" | "bracket";
  start: number;
  end: number;
  term?: Term;
}

export interface Parsed {
  terms: Term[];
  pieces: Piece[];
  /** Whether the outermost node is an "or": what is added to it must be bracketed first. */
  isAlternative: boolean;
}

export class SearchError extends Error {
  constructor(
    message: string,
    readonly position: number,
    readonly length = 1,
    readonly hint = "",
  ) {
    super(message);
  }
}

const FIELD = /([\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_-]+)*)(!=|>=|<=|:|=|>|<)/uy;
const BARE = /[^\s()",|]+/uy;
const WORD = /[^\s()",|=<>][^\s()",|]*/uy;
const KEYWORD = /(?:or|and|not)(?=[\s()"]|$)/y;
const DEPTH_MAX = 64;

class Parser {
  private at = 0;
  private depth = 0;
  readonly terms: Term[] = [];
  readonly pieces: Piece[] = [];

  constructor(private readonly text: string) {}

  parse(): Parsed {
    this.skipSpace();
    let isAlternative = false;
    if (this.at < this.text.length) {
      isAlternative = this.parseOr();
      if (this.at < this.text.length) this.refuseRest();
    }
    return { terms: this.terms, pieces: this.pieces, isAlternative };
  }

  private parseOr(): boolean {
    let isAlternative = false;
    this.parseAnd();
    while (this.takeKeyword("or")) {
      isAlternative = true;
      this.parseAnd();
    }
    return isAlternative;
  }

  private parseAnd(): void {
    this.parseNot();
    while (this.takeKeyword("and") || this.startsOperand()) this.parseNot();
  }

  private startsOperand(): boolean {
    if (this.at >= this.text.length) return false;
    const keyword = this.peekKeyword();
    if (keyword) return keyword === "not";
    return !/[),|]/.test(this.text.charAt(this.at)) && !/[=<>]/.test(this.text.charAt(this.at));
  }

  private parseNot(): void {
    const start = this.at;
    if (this.takeKeyword("not")) return this.parseAtom(true, start);
    const next = this.text.charAt(this.at + 1);
    if (this.text.charAt(this.at) === "-" && next !== "" && !/[\s)]/.test(next)) {
      this.at += 1;
      if (next === "-") this.refuse("a term is expected after the minus");
      return this.parseAtom(true, start);
    }
    this.parseAtom(false, start);
  }

  private parseAtom(negated: boolean, start: number): void {
    const char = this.text.charAt(this.at);
    if (char === "(") return this.parseGroup(negated, start);
    if (char === '"') {
      const value = this.takePhrase();
      return this.addTerm("word", { negated, field: "", operator: "phrase", values: [value], start, end: this.at });
    }
    if (char === "" || this.peekKeyword()) this.refuse("a term is expected here");
    if (negated && char === "-" && !/^(?:\s|$)/.test(this.text.slice(this.at + 1))) {
      this.refuse("a term is expected here");
    }
    FIELD.lastIndex = this.at;
    const field = FIELD.exec(this.text);
    if (field) return this.parseTerm(negated, start, field);
    this.parseWord(negated, start);
  }

  private parseGroup(negated: boolean, start: number): void {
    const open = this.at;
    this.depth += 1;
    if (this.depth > DEPTH_MAX) this.refuse(`more than ${DEPTH_MAX} brackets deep`);
    this.at += 1;
    this.pieces.push({ kind: "bracket", start: negated ? start : open, end: this.at });
    this.skipSpace();
    this.parseOr();
    if (this.text.charAt(this.at) !== ")") {
      if (this.at < this.text.length) this.refuseRest();
      throw new SearchError("this bracket is not closed", open, 1, "add )");
    }
    this.pieces.push({ kind: "bracket", start: this.at, end: this.at + 1 });
    this.at += 1;
    this.depth -= 1;
    this.skipSpace();
  }

  private parseTerm(negated: boolean, start: number, match: RegExpExecArray): void {
    this.at += match[0].length;
    const values = [this.takeValue()];
    while (this.text.charAt(this.at) === ",") {
      this.at += 1;
      values.push(this.takeValue());
    }
    this.addTerm("term", {
      negated, field: match[1] ?? "", operator: match[2] as Operator, values, start, end: this.at,
    });
  }

  private parseWord(negated: boolean, start: number): void {
    WORD.lastIndex = this.at;
    const match = WORD.exec(this.text);
    if (!match) this.refuseRest();
    this.at += match![0].length;
    this.addTerm("word", { negated, field: "", operator: "word", values: [match![0]], start, end: this.at });
  }

  private addTerm(kind: "term" | "word", term: Term): void {
    this.terms.push(term);
    this.pieces.push({ kind, start: term.start, end: term.end, term });
    this.skipSpace();
  }

  private takeValue(): string {
    if (this.text.charAt(this.at) === '"') return this.takePhrase();
    BARE.lastIndex = this.at;
    const match = BARE.exec(this.text);
    if (!match) this.refuse("a value is expected here", "quote values with spaces or brackets");
    this.at += match![0].length;
    return match![0];
  }

  private takePhrase(): string {
    const open = this.at;
    let value = "";
    for (let i = open + 1; i < this.text.length; i += 1) {
      const char = this.text.charAt(i);
      const next = this.text.charAt(i + 1);
      if (char === "\\" && (next === '"' || next === "\\")) {
        value += next;
        i += 1;
      } else if (char === '"') {
        this.at = i + 1;
        return value;
      } else value += char;
    }
    throw new SearchError("this quote is not closed", open, this.text.length - open, 'add "');
  }

  private peekKeyword(): string {
    KEYWORD.lastIndex = this.at;
    return KEYWORD.exec(this.text)?.[0] ?? "";
  }

  private takeKeyword(word: string): boolean {
    if (this.peekKeyword() !== word) return false;
    this.pieces.push({ kind: "operator", start: this.at, end: this.at + word.length });
    this.at += word.length;
    this.skipSpace();
    return true;
  }

  private skipSpace(): void {
    while (/\s/.test(this.text.charAt(this.at))) this.at += 1;
  }

  private refuse(message: string, hint = ""): never {
    throw new SearchError(message, this.at, 1, hint);
  }

  private refuseRest(): never {
    const char = this.text.charAt(this.at);
    if (char === ")") this.refuse("there is no bracket to close here");
    if (char === "|") this.refuse("a pipe is not part of a search", 'quote it to search for it: "|"');
    if (char === ",") this.refuse("a comma needs a field before it", "write field:a,b or quote the text");
    if (/[=<>]/.test(char)) this.refuse("an operator needs a field right before it", "write level>=warn");
    return this.refuse("a term is expected here");
  }
}

/** Read a search text, or throw SearchError with the place of the first thing wrong. */
export function parse(text: string): Parsed {
  return new Parser(text).parse();
}
