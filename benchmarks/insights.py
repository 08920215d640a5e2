"""How long queries of the Insights language take, and how long compiling one does.

    python benchmarks/insights.py [--records 500000] [--rounds 5]

Generates records over 24 hours in a store of its own, asks three queries and prints the best and
the middle time of each, warm, in milliseconds, as JSON; and again, `later`, when the attributes
that they read have columns of their own, as a server gives them after three slow queries.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from clerestory.server.insights import Scope, compile_query, run
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.promotion import READINGS, SLOW_S, Promotion

START_MS = 1_700_000_000_000
DAY_MS = 86_400_000

# numbers from a hash, so that every run has the same records
GENERATE = """
INSERT INTO logs (ts, level, severity, service, logger, message, attrs, spool, seq)
SELECT
  fromUnixTimestamp64Milli(toInt64({start} + intDiv(number * {day}, {records})), 'UTC'),
  transform(h % 100, [0, 1, 2, 3], ['ERROR', 'ERROR', 'WARNING', 'DEBUG'], 'INFO') AS level,
  transform(level, ['ERROR', 'WARNING', 'DEBUG'], [40, 30, 10], 20),
  concat('service-', toString(h % 12)), concat('logger.', toString(h % 36)),
  concat('request ', toString(h % 100000), ' of user ', toString(h % 5000), ' was served'),
  CAST(map('path', concat('/api/', toString(h % 40)), 'status', toString(200 + h % 5 * 100),
    'latency_ms', toString((h % 100000) / 100), 'user_id', concat('u_', toString(h % 5000)),
    'host', concat('h', toString(h % 8)), 'region', 'eu', 'build', 'b7', 'zone', 'z1'),
    'Map(LowCardinality(String), String)'),
  'bench', number
FROM (SELECT number, cityHash64(number) AS h FROM numbers({records}))
"""

QUERIES = {
    "filter_attribute_count_by_bin": (
        'filter user_id = "u_4242" | stats count(*) as n by bin(5m)',
        Scope(),
    ),
    "last_100_of_a_group": (
        "fields @timestamp, @message | sort @timestamp desc | limit 100",
        Scope(condition="service = {s:String}", parameters={"s": "service-3"}),
    ),
    "p99_by_attribute": ("stats pct(latency_ms, 99) by path", Scope()),
}
# what they read from the map
ATTRIBUTES = ("user_id", "latency_ms", "path")


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    report: dict[str, object] = {"records": arguments.records, "compile_ms": _compile_ms()}
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder))
        connection = store.inserting()
        connection.run(GENERATE.format(start=START_MS, day=DAY_MS, records=arguments.records))
        connection.close()
        with store.querying() as asking:
            asking.run("SET use_query_condition_cache = 0")
            for name, (query, scope) in QUERIES.items():
                report[name] = _time_ms(asking, query, scope, arguments.rounds, {})
        columns = _promote(store)
        with store.querying() as asking:
            for name, (query, scope) in QUERIES.items():
                report[f"{name}, later"] = _time_ms(asking, query, scope, arguments.rounds, columns)
        store.close()
    json.dump(report, sys.stdout, indent=2)
    print()


def _compile_ms() -> float:
    query = (
        'fields @timestamp, method, path | filter level in ["ERROR", "WARNING"] and status >= 500 '
        "and @message like /time(d )?out/ | parse @message 'user=* took * ms' as user, ms "
        "| stats count(*) as n, avg(ms), pct(ms, 95) as p95, pct(ms, 99) as p99, max(ms) - min(ms) "
        "as spread by concat(method, ' ', path) as route, bin(5m) as t | filter n > 10 "
        "| sort p99 desc, n desc | limit 50"
    )
    best = float("inf")
    for _round in range(50):
        began = time.perf_counter()
        compile_query(query, start_ms=START_MS, end_ms=START_MS + 1, now_ms=0, scope=Scope())
        best = min(best, time.perf_counter() - began)
    return round(best * 1000, 2)


def _promote(store: EmbeddedStore) -> Mapping[str, str]:
    """Let the store see what queries read, and wait until it is done with that."""
    promotion = Promotion(store, 16, is_full=lambda: False)
    for _query in range(READINGS):
        promotion.note(ATTRIBUTES, SLOW_S)
    while len(promotion.columns) < len(ATTRIBUTES):
        promotion.turn()
        time.sleep(0.1)
    with store.querying() as connection:
        while connection.rows("SELECT count() FROM system.mutations WHERE NOT is_done")[0][0]:
            time.sleep(0.1)
    return promotion.columns


def _time_ms(
    connection: Connection,
    query: str,
    scope: Scope,
    rounds: int,
    columns: Mapping[str, str],
) -> dict[str, object]:
    times: list[float] = []
    rows = 0
    for _round in range(rounds + 1):
        began = time.perf_counter()
        result = run(
            connection,
            query,
            start_ms=START_MS,
            end_ms=START_MS + DAY_MS - 1,
            scope=scope,
            own_columns=columns,
        )
        times.append((time.perf_counter() - began) * 1000)
        rows = len(result.rows)
    warm = times[1:]
    return {
        "query": query,
        "rows": rows,
        "cold_ms": round(times[0], 1),
        "best_ms": round(min(warm), 1),
        "median_ms": round(statistics.median(warm), 1),
    }


if __name__ == "__main__":
    main()
