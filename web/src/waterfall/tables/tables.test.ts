/* Self time, what services and operations add up to, and the orders of the table. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { endOf, type Node, selfTime, type Tree } from "../tree.ts";
import { type Column, finderOf, ordered, orderOf, turned } from "./order.ts";
import { isOf, talliesOf } from "./tallies.ts";
import { randomOf, type Told, treeFrom } from "./told.ts";

function selvesOf(tree: Tree, now = 0): number[] {
  return tree.nodes.map((node) => selfTime(node, now));
}

function idsOf(nodes: Node[]): string[] {
  return nodes.map((node) => node.span.span_id);
}

test("self time is the duration without what children cover, overlaps counted once", () => {
  const tree = treeFrom([[0, 0, 100], [1, 10, 30], [1, 20, 40], [2, 25, 5], [1, 90, 500], [1, 30, 5]]);

  assert.deepEqual(selvesOf(tree), [40, 30, 35, 5, 500, 5]);
});

test("a child before its parent, one of no length and a negative duration take nothing away", () => {
  const tree = treeFrom([[0, 50, 100], [1, 0, 40], [1, 40, 20], [1, 80, 0], [1, 90, -30], [0, 0, -5]]);

  assert.deepEqual(selvesOf(tree), [90, 40, 20, 0, 0, 0]);
});

test("what is open counts until now, and covers its parent until the parent's end", () => {
  const tree = treeFrom([[0, 0, 0, { pending: true }], [1, 10, 30], [1, 60, 0, { pending: true }]]);

  assert.deepEqual(selvesOf(tree, 80), [30, 30, 20]);
});

function uncoveredOf(node: Node): number {
  let count = 0;
  for (let at = node.start; at < node.end; at += 1) {
    if (!node.children.some((child) => child.start <= at && at < child.end)) count += 1;
  }
  return count;
}

test("the self times of any tree are those of counting each moment", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomOf(seed);
    const told: Told[] = [[0, random(20), random(60)]];
    for (let depth = 0, i = 0; i < 12; i += 1) {
      depth = 1 + random(depth + 1);
      told.push([depth, random(90), random(40) - 3]);
    }
    const tree = treeFrom(told);

    assert.deepEqual(selvesOf(tree), tree.nodes.map(uncoveredOf), `seed ${seed}`);
  }
});

test("every span counts once in its service and once in its operation, most self time first", () => {
  const [web, db] = [{ service: "web", name: "GET" }, { service: "db", name: "SELECT" }];
  const tree = treeFrom([
    [0, 0, 100, web], [1, 10, 20, { ...db, status: "error" }], [1, 20, 50, db], [1, 80, 15, { service: "web", name: "render" }], [1, 96, 1, { service: "", name: "" }],
  ]);
  const found = talliesOf(tree.nodes, selvesOf(tree), 0);

  assert.deepEqual(found.map(({ service, spans, errors, total, self }) => [service, spans, errors, total, self]), [["db", 2, 1, 70, 70], ["web", 2, 0, 115, 39], ["", 1, 0, 1, 1]]);
  assert.deepEqual(found[1]?.operations.map(({ operation, self }) => [operation, self]), [["GET", 24], ["render", 15]]);
  for (const whole of found) {
    assert.equal(whole.self, whole.operations.reduce((sum, one) => sum + one.self, 0));
    assert.equal(whole.spans, tree.nodes.filter((node) => isOf(node, whole)).length);
  }
});

test("names that are properties of every object are services like others", () => {
  const names = ["__proto__", "constructor", "toString", "<b>"];
  const tree = treeFrom(names.map((name) => [0, 0, 1, { service: name, name }]));

  assert.deepEqual(talliesOf(tree.nodes, selvesOf(tree), 0).map((one) => one.service), names);
});

test("each column orders in both directions, and what is equal stays in the order of time", () => {
  const tree = treeFrom([
    [0, 0, 100, { name: "b", status: "ok" }], [1, 50, 10, { name: "a", status: "error" }], [1, 10, 30, { name: "a", kind: "client" }], [1, 70, 10, { name: "c", pending: true }],
  ]);
  const by = (text: string) => idsOf(ordered(tree.nodes, orderOf(text), selvesOf(tree, 90), 90)).join("");

  assert.equal(by(""), "0213");
  assert.equal(by("-start"), "3120");
  assert.equal(by("name"), "2103");
  assert.equal(by("-name"), "3021");
  assert.equal(by("service"), "0312");
  assert.equal(by("kind"), "2013");
  assert.equal(by("-duration"), "0231");
  assert.equal(by("self"), "1320");
  assert.equal(by("-status"), "1302");
  assert.equal(by("no such column"), "0213");
});

test("a click on a head orders by it, large figures first, and once more turns it around", () => {
  const after = (text: string, column: Column) => turned(orderOf(text), column);

  assert.deepEqual([after("", "start"), after("-start", "start")], ["-start", ""]);
  assert.deepEqual([after("", "duration"), after("-duration", "duration"), after("duration", "duration")], ["-duration", "duration", "-duration"]);
  assert.deepEqual([after("-self", "name"), after("name", "name")], ["name", "-name"]);
});

test("words find the spans in which each of them stands", () => {
  const tree = treeFrom([
    [0, 0, 9, { name: "GET /cart", service: "shop", kind: "server" }], [1, 1, 2, { name: "SELECT cart", service: "shop", status: "error", status_message: "Lost" }], [1, 2, 3, { name: "(a+)+$", service: "x" }],
  ]);
  const found = (text: string) => idsOf(tree.nodes.filter(finderOf(text))).join("");

  assert.deepEqual(["", "CART", "cart error", "shop server", "lost", "a+)+", "cart nobody"].map(found), ["012", "01", "1", "0", "1", "2", ""]);
});

test("ten thousand spans below one are added up and ordered soon", () => {
  const tree = treeFrom([[0, 0, 20_000], ...Array.from({ length: 9999 }, (_, i): Told => [1, (i * 7919) % 10_000, 1 + (i % 97), { name: `n ${i % 500}` }])]);
  const started = performance.now();
  const selves = selvesOf(tree);
  const spans = talliesOf(tree.nodes, selves, 0).reduce((sum, one) => sum + one.spans, 0);
  const longest = ordered(tree.nodes, orderOf("-duration"), selves, 0)[1];

  assert.equal(spans, 10_000);
  assert.equal(longest && endOf(longest, 0) - longest.start, 97);
  assert.ok(performance.now() - started < 1000);
});
