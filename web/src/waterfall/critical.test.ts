/* The pieces of a critical path cover its root once, whatever the children do. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { criticalPath, sharesOf } from "./critical.ts";
import { randomOf, type Told, treeFrom } from "./tables/told.ts";
import { linesOf } from "./tree.ts";

function pathOf(told: Told[], now = 0): [string, number, number][] {
  const { main } = treeFrom(told);
  return main ? criticalPath(main, now).map(({ node, from, to }) => [node.span.span_id, from, to]) : [];
}

test("at each moment it is the child that ended last", () => {
  const told: Told[] = [[0, 0, 100], [1, 10, 30], [1, 20, 60], [2, 30, 20], [1, 90, 5]];

  assert.deepEqual(pathOf(told), [
    ["0", 0, 20], ["2", 20, 30], ["3", 30, 50], ["2", 50, 80], ["0", 80, 90], ["4", 90, 95], ["0", 95, 100],
  ]);
});

test("a child that outlives its parent counts until the parent's end", () => {
  assert.deepEqual(pathOf([[0, 0, 100], [1, 60, 500]]), [["0", 0, 60], ["1", 60, 100]]);
});

test("a child that starts before its parent counts from the parent's start", () => {
  assert.deepEqual(pathOf([[0, 0, 100], [1, 40, 40], [2, 30, 20]]), [["0", 0, 40], ["2", 40, 50], ["1", 50, 80], ["0", 80, 100]]);
});

test("what a queue handed on, and what is open below a finished span, is not waited for", () => {
  assert.deepEqual(pathOf([[0, 0, 100], [1, 10, 80, { kind: "consumer" }], [1, 20, 0, { pending: true }]], 90), [["0", 0, 100]]);
});

test("an open root is measured until now", () => {
  assert.deepEqual(pathOf([[0, 0, 0, { pending: true }], [1, 10, 30]], 70), [["0", 0, 10], ["1", 10, 40], ["0", 40, 70]]);
});

test("the pieces of any tree sum to the root's duration and do not overlap", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = randomOf(seed);
    const told: Told[] = [[0, random(1000), 1 + random(1_000_000_000)]];
    for (let depth = 0, i = 0; i < random(60); i += 1) {
      depth = 1 + random(depth + 1);
      told.push([depth, random(1_200_000_000), random(900_000_000), random(9) === 0 ? { pending: true } : {}]);
    }
    const { main } = treeFrom(told);
    assert.ok(main);
    const pieces = criticalPath(main, 1_300_000_000);

    let at = main.start;
    for (const { from, to } of pieces) {
      assert.equal(from, at, `seed ${seed}`);
      assert.ok(to > from, `seed ${seed}`);
      at = to;
    }
    assert.equal(at, main.end, `seed ${seed}`);
    assert.equal(sharesOf(pieces).reduce((sum, share) => sum + share.ns, 0), main.span.duration_ns, `seed ${seed}`);
  }
});

test("a chain ten thousand deep is walked without a stack that overflows", () => {
  const told: Told[] = Array.from({ length: 10_000 }, (_, i) => [i, i, 40_000 - 2 * i]);
  const tree = treeFrom(told);

  assert.ok(tree.main);
  assert.equal(criticalPath(tree.main, 0).reduce((sum, piece) => sum + piece.to - piece.from, 0), 40_000);
  assert.equal(linesOf(tree, new Set(), () => true).length, 10_000);
});
