/* The table of cases is shared with the server: both parsers must agree on every line. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parse, SearchError } from "./parser.ts";

interface Case {
  q: string;
  ok: boolean;
  terms?: string[][];
  position?: number;
}

const table = new URL("../../../tests/data/search_cases.json", import.meta.url);
const cases = JSON.parse(readFileSync(table, "utf8")) as Case[];

for (const one of cases) {
  test(`search text ${JSON.stringify(one.q)}`, () => {
    if (one.ok) {
      const terms = parse(one.q).terms.map((term) => [
        (term.negated ? "-" : "") + term.field,
        term.operator,
        ...term.values,
      ]);
      assert.deepEqual(terms, one.terms);
      return;
    }
    assert.throws(
      () => parse(one.q),
      (error: unknown) => error instanceof SearchError && error.position === one.position,
    );
  });
}
