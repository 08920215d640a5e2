/* The pieces of a critical path cover its root once, whatever the children do. */

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Span, Trace } from "../api/traces.ts";
import { criticalPath, sharesOf } from "./critical.ts";
import { linesOf, treeOf } from "./tree.ts";

type Told = [depth: number, start: number, duration: number, more?: Partial<Span>];

const SECOND = 1_795_314_823n * 1_000_000_000n;

function spanOf([depth, start, duration, more]: Told, index: number): Span {
  return {
    span_id: String(index), parent_span_id: depth === 0 ? "" : "x", depth, orphan: false, name: `span ${index}`, service: `s${index % 3}`,
    scope: "", kind: "internal", status: "unset", status_message: "", ts: String(SECOND + BigInt(start)), duration_ns: duration, pending: false,
    trace_state: "", peer: "", peer_kind: "", dropped: 0, attrs: {}, resource: 0, events: [], links: [], ...more,
  };
}

function treeFrom(told: Told[]) {
  const trace = { spans: told.map(spanOf), logs: [] } as unknown as Trace;
  return treeOf(trace);
}

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

/* A small generator with a seed, so that a failure can be met again. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state % below;
  };
}

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
