import assert from "node:assert/strict";
import { test } from "node:test";

import { choiceOf, choose, quote } from "./edit.ts";

test("plus adds a term, joins the values of a field and takes back what it added", () => {
  const one = choose("", "service", "api", "only");
  const two = choose(one, "service", "web shop", "only");
  const three = choose(two, "service", "api", "only");

  assert.deepEqual([one, two, three], ["service:api", 'service:api,"web shop"', 'service:"web shop"']);
});

test("minus after plus turns the choice around", () => {
  const turned = choose("a service:api", "service", "api", "not");

  assert.equal(turned, "a -service:api");
  assert.equal(choiceOf(turned, "service", "API"), "not");
});

test("an alternative is bracketed before a term is added to it", () => {
  assert.equal(choose("a or b", "level", "error", "only"), "(a or b) level:error");
});

test("values that the grammar would read otherwise are quoted", () => {
  assert.deepEqual(['a"b', "x y", "", "*", "a\\b"].map(quote), ['"a\\"b"', '"x y"', '""', '"*"', "a\\b"]);
});
