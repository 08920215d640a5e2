import assert from "node:assert/strict";
import { test } from "node:test";

import { insightsOf, pipeIn } from "./insights.ts";

const CASES: [string, string][] = [
  ["|", ""],
  ["| stats count(*)", "stats count(*)"],
  ["level:error |", 'filter level = "ERROR"\n|'],
  ["level>=warn | stats count(*)", 'filter level in ["WARNING", "ERROR", "ALERT", "CRITICAL", "EMERGENCY"]\n| stats count(*)'],
  ["timeout |", "filter message like /(?i)(^|[\\W_])timeout([\\W_]|$)/\n|"],
  ['"smtp timeout" |', "filter message like /(?i)(^|[\\W_])smtp[\\W_]+timeout([\\W_]|$)/\n|"],
  ["service:api,web -path:/health |", 'filter service in ["api", "web"] and not (path = "/health")\n|'],
  ["(a=1 or b!=2) not c>3 |", "filter (a = 1 or not (b = 2)) and not (c > 3)\n|"],
  ["-(has:x or user.id:5) |", "filter not (ispresent(x) or user.id = 5)\n|"],
  ["duration_ms>1.5s size>=4KiB |", "filter duration_ms > 1500 and size >= 4096\n|"],
  ["path:/api/* |", "filter path like /^\\/api\\/.*$/\n|"],
  ["event-name:x trace:AB |", 'filter `event-name` = "x" and trace_id = "ab"\n|'],
  ["level>=blue |", "# not carried over: level>=blue\n"],
  ["(a |", "# not carried over: (a\n"],
];

for (const [search, query] of CASES) {
  test(`the search ${JSON.stringify(search)} in the Insights language`, () => {
    assert.equal(insightsOf(search), query);
  });
}

test("a pipe in quotes belongs to the search", () => {
  assert.deepEqual(['"a|b"', '"a\\"|" |', "a |", ""].map(pipeIn), [-1, 7, 2, -1]);
});
