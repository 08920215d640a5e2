"""What one logging call costs its caller: ours beside the peers, alternating in one run.

    python benchmarks/call.py [--rounds 7]

Every case logs the same message with three fields and two context fields, records module,
function and line, and makes one JSON line. Each round measures every case once, in a fresh
process each, in CPU time of the calling thread; the table shows medians and the median of the
per-round ratios. The lines that each case made are parsed and compared before it counts.

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

CALLS = 20_000
CASES = {
    "clerestory (spool)": ("ours", "process"),
    "clerestory (memory)": ("ours", "memory"),
    "clerestory stdlib call": ("ours_stdlib", "process"),
    "stdlib + json-logger": ("json_logger", ""),
    "structlog": ("structlog", ""),
    "loguru serialize": ("loguru", ""),
    "OTel LoggingHandler + Batch": ("otel", ""),
}
TARGETS = {
    ("clerestory (spool)", "stdlib + json-logger"): 8,
    ("clerestory (spool)", "structlog"): 5,
    ("clerestory (spool)", "loguru serialize"): 14,
    ("clerestory (spool)", "OTel LoggingHandler + Batch"): 11,
    ("clerestory (memory)", "stdlib + json-logger"): 9,
    ("clerestory (memory)", "structlog"): 6,
    ("clerestory (memory)", "loguru serialize"): 18,
    ("clerestory (memory)", "OTel LoggingHandler + Batch"): 12,
    ("clerestory stdlib call", "stdlib + json-logger"): 8,
}


def measure(script: str, case: str, mode: str, count: int) -> dict[str, float]:
    """Run one case of a script in a fresh process and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).with_name(script)), case, str(count)],
            env=os.environ | {"BENCH_FOLDER": folder, "BENCH_MODE": mode},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if answer.returncode:
            raise SystemExit(f"case {case} failed:\n{answer.stderr[-2000:]}")
        return json.loads(answer.stdout.strip().splitlines()[-1])


def rounds_of(
    script: str, cases: dict[str, tuple[str, str]], count: int, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each case, one a round; every round measures every case once."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (case, mode) in cases.items():
            results[name].append(measure(script, case, mode, count))
    return results


def print_ratios(
    results: dict[str, list[dict[str, float]]], figure: str, targets: dict[tuple[str, str], float]
) -> bool:
    """Print how often ours goes into each peer's figure; say whether all targets are reached."""
    print(f"\n{'ours':32} {'against':30} {'ratio':>6} {'target':>6}")
    reached = True
    for (ours, peer), target in targets.items():
        pairs = zip(results[peer], results[ours], strict=True)
        ratio = statistics.median(a[figure] / b[figure] for a, b in pairs)
        reached = reached and ratio >= target
        missed = "" if ratio >= target else "MISSED"
        print(f"{ours:32} {peer:30} {ratio:6.1f} {target:6.0f} {missed}")
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    results = rounds_of("call_case.py", CASES, CALLS, rounds)
    print(f"\n{'case':30} {'ns/call':>9} {'p99 ns':>9} {'p99.9 ns':>9} {'disabled ns':>12}")
    for name, rows in results.items():
        cells = [
            statistics.median(row[key] for row in rows) for key in ("call", "p99", "p999", "off")
        ]
        print(f"{name:30} {cells[0]:9.0f} {cells[1]:9.0f} {cells[2]:9.0f} {cells[3]:12.0f}")
    reached = print_ratios(results, "call", TARGETS)
    threads = statistics.median(
        row["threads4"] / row["call"] for row in results["clerestory (spool)"]
    )
    bytes_each = statistics.median(row["bytes"] for row in results["clerestory (memory)"])
    print(f"\n4 threads against 1, CPU per call: {threads:.2f} (at most 1.3)")
    print(f"memory per queued record: {bytes_each:.0f} B (at most 400)")
    print(f"\n{'':30} {'objects the collector sees, a call':>36} {'longest pause':>14}")
    for name, rows in results.items():
        objects = statistics.median(row["objects"] for row in rows)
        pause_ns = statistics.median(row["pause"] for row in rows)
        print(f"{name:30} {objects:36.3f} {pause_ns / 1000:11.0f} us")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
