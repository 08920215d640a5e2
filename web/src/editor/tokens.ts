/* Cuts a query into what is coloured: close enough to read by, never used to run anything.

     text -> [tokens] -> colours, completion

   Invariant: the server's lexer alone decides what a query means; here a half-written one has
   colours too. */

export type Kind = "comment" | "command" | "function" | "keyword" | "text" | "number" | "name" | "system" | "pipe" | "mark";

export interface Token {
  kind: Kind;
  start: number;
  end: number;
}

export interface Vocabulary {
  commands: ReadonlySet<string>;
  keywords: ReadonlySet<string>;
}

const COMMENT = /#[^\n]*/y;
const TEXT = /"(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?/y;
const REGEX = /\/(?:\\[^\n]|[^/\\\n])+\/?/y;
const QUOTED_NAME = /`[^`\n]*`?/y;
const NAME = /[A-Za-z_@][A-Za-z0-9_@]*(?:\.[A-Za-z0-9_@]+|\.`[^`\n]+`)*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[A-Za-z]*/y;
const PATTERN_WORDS = new Set(["like", "parse"]);

/* A slash begins a regular expression behind like, =~, parse and its field, a comma or a bracket. */
function mayBeRegex(before: string, word: string): boolean {
  return PATTERN_WORDS.has(word) || /(?:=~|[(,])\s*$/.test(before) || /\bparse\s+[@\w.`-]+\s+$/.test(before);
}

class Scanner {
  readonly tokens: Token[] = [];
  private at = 0;
  private word = "";
  private expectsCommand = true;

  constructor(private readonly text: string, private readonly words: Vocabulary) {}

  scan(): Token[] {
    while (this.at < this.text.length) {
      if (!this.step()) this.at += 1;
    }
    return this.tokens;
  }

  private step(): boolean {
    if (this.take(COMMENT, "comment", true)) return true;
    if (this.take(TEXT, "text") || this.take(QUOTED_NAME, "name") || this.takeName()) return true;
    if (this.text.charAt(this.at) === "/" && mayBeRegex(this.text.slice(Math.max(0, this.at - 200), this.at), this.word)) {
      if (this.take(REGEX, "text")) return true;
    }
    if (this.take(NUMBER, "number")) return true;
    return this.takeMark();
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0] ?? "";
  }

  private add(kind: Kind, length: number): void {
    this.tokens.push({ kind, start: this.at, end: this.at + length });
    this.at += length;
  }

  private take(pattern: RegExp, kind: Kind, isBlank = false): boolean {
    const found = this.match(pattern);
    if (found === "") return false;
    this.add(kind, found.length);
    if (!isBlank) {
      this.word = "";
      this.expectsCommand = false;
    }
    return true;
  }

  private takeName(): boolean {
    const found = this.match(NAME);
    if (found === "") return false;
    const word = found.toLowerCase();
    const isCall = !found.includes(".") && /^\s*\(/.test(this.text.slice(this.at + found.length, this.at + found.length + 20));
    let kind: Kind = found.startsWith("@") ? "system" : "name";
    if (this.expectsCommand && this.words.commands.has(word)) kind = "command";
    else if (this.words.keywords.has(word)) kind = "keyword";
    else if (isCall) kind = "function";
    this.add(kind, found.length);
    this.word = word;
    this.expectsCommand = false;
    return true;
  }

  private takeMark(): boolean {
    const char = this.text.charAt(this.at);
    if (/\s/.test(char)) return false;
    this.add(char === "|" ? "pipe" : "mark", 1);
    this.word = "";
    // Behind a bracket a subquery may begin.
    this.expectsCommand = char === "|" || char === "(";
    return true;
  }
}

export function tokensOf(text: string, words: Vocabulary): Token[] {
  return new Scanner(text, words).scan();
}
