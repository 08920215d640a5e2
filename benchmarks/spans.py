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
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

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


def measure(case: str, mode: str) -> dict[str, float]:
    """Run one case in a fresh process and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"BENCH_FOLDER": folder, "BENCH_MODE": mode}
        script = Path(__file__).with_name("spans_case.py")
        answer = subprocess.run(
            [sys.executable, str(script), case, str(SPANS)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if answer.returncode:
            raise SystemExit(f"case {case} failed:\n{answer.stderr[-2000:]}")
        return json.loads(answer.stdout.strip().splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, (case, mode) in CASES.items():
            results[name].append(measure(case, mode))
    print(f"\n{'case':32} {'ns/span':>9} {'p99 ns':>9} {'p99.9 ns':>9}")
    for name, rows in results.items():
        cells = [statistics.median(row[key] for row in rows) for key in ("span", "p99", "p999")]
        print(f"{name:32} {cells[0]:9.0f} {cells[1]:9.0f} {cells[2]:9.0f}")
    print(f"\n{'ours':32} {'against':30} {'ratio':>6} {'target':>6}")
    reached = True
    for (ours, peer), target in TARGETS.items():
        pairs = zip(results[peer], results[ours], strict=True)
        ratio = statistics.median(a["span"] / b["span"] for a, b in pairs)
        reached = reached and ratio >= target
        missed = "" if ratio >= target else "MISSED"
        print(f"{ours:32} {peer:30} {ratio:6.1f} {target:6.0f} {missed}")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
