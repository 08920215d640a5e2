"""What one span costs its caller: ours beside the peers, alternating in one run.

    python benchmarks/spans.py [--rounds 7]

Every case makes the same root span with three attributes and brings it as far as its library does
before a background thread takes over: ours to the spool, the peers to the queue of their batch
processor. Each round measures every case once, in a fresh process each, in CPU time of the calling
thread; the table shows medians and the median of the per-round ratios. What each case made is
compared before it counts.

Machine, loopback and disk are shared: the ratios are the figures to use.
"""

import argparse
import statistics

from call import print_ratios, rounds_of

SPANS = 10_000
CASES = {
    "clerestory (spool)": ("ours", "process"),
    "clerestory (memory)": ("ours", "memory"),
    "clerestory, OpenTelemetry's API": ("ours_api", "process"),
    "OTel SDK + BatchSpanProcessor": ("otel", ""),
    "logfire": ("logfire", ""),
}
TARGETS = {
    ("clerestory (spool)", "OTel SDK + BatchSpanProcessor"): 6.0,
    ("clerestory (memory)", "OTel SDK + BatchSpanProcessor"): 6.0,
    ("clerestory, OpenTelemetry's API", "OTel SDK + BatchSpanProcessor"): 3.0,
    ("clerestory (spool)", "logfire"): 25.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    results = rounds_of("spans_case.py", CASES, SPANS, rounds)
    print(f"\n{'case':32} {'ns/span':>9} {'p99 ns':>9} {'p99.9 ns':>9}")
    for name, rows in results.items():
        cells = [statistics.median(row[key] for row in rows) for key in ("span", "p99", "p999")]
        print(f"{name:32} {cells[0]:9.0f} {cells[1]:9.0f} {cells[2]:9.0f}")
    return 0 if print_ratios(results, "span", TARGETS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
