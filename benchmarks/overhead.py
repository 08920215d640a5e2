"""What delivery does to the program: 18 us of work and one log a turn, beside the peers.

    python benchmarks/overhead.py [--rounds 3] [--pairs 5] [--turns 40000]

Each case runs in a process of its own and sends to an endpoint in another: clerestory to
CloudWatch; clerestory with an agent that ships; watchtower; OpenTelemetry. Each process does its
turns in pairs, first without logging and then with it, for the speed of a processor drifts: from
one process to the next, and from one second to the next, the same work differs by more than the
call costs. `program` is the CPU time of the program's own thread, `process` that of all its
threads. The figures are medians of all pairs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from delivery import Endpoint, environment

FOLDER = Path(__file__).parent
CASES = ("clerestory", "agent", "watchtower", "opentelemetry")
PROGRAM_MAX = 0.08
TAIL_MAX = 2.0


def started(*arguments, env):
    """Run overhead_case.py and return the last line that it printed."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "overhead_case.py"), *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def run_case(case, numbers, url, folder):
    """Return the pairs of figures of one run."""
    own = environment(url, folder) | {
        "CLERESTORY_DESTINATIONS": "cloudwatch:///overhead?log_stream=one",
        "CLERESTORY_DELIVERY_BY": "agent" if case == "agent" else "program",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
    }
    agent = None
    if case == "agent":
        code = "from clerestory.cli import main; main()"
        agent = subprocess.Popen(
            [sys.executable, "-c", code, "agent"], env=own, stderr=subprocess.DEVNULL
        )
    try:
        return json.loads(started(case, *numbers, env=own))
    finally:
        if agent is not None:
            agent.terminate()
            agent.wait(30)


def main():
    """Print the table; exit code 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--turns", type=int, default=40_000)
    arguments = parser.parse_args()
    figures = {case: [] for case in CASES}
    endpoint = Endpoint()
    try:
        for _ in range(arguments.rounds):
            amount = started("calibrate", env=os.environ)
            numbers = (arguments.turns, amount, arguments.pairs)
            for case in CASES:
                with tempfile.TemporaryDirectory() as folder:
                    endpoint.ask("/control", {})
                    figures[case] += run_case(case, numbers, endpoint.url, folder)
    finally:
        endpoint.stop()
    return report(figures)


def median(pairs, figure):
    """Return the median of a figure of each pair."""
    return statistics.median(figure(*pair) for pair in pairs)


def report(figures):
    """Print what was measured; return the exit code."""
    print(
        f"{'':<14}{'us a turn':>10}{'program':>9}{'process':>9}{'p99':>8}{'p99.9':>8}{'ratio':>7}"
    )
    everything = [pair for pairs in figures.values() for pair in pairs]
    silent = {key: median(everything, lambda one, _, key=key: one[key]) for key in everything[0][0]}
    print(
        f"{'nothing':<14}{silent['program_us']:>10.1f}{'':>18}"
        f"{silent['p99_us']:>8.0f}{silent['p999_us']:>8.0f}"
    )
    ratios = {}
    for case, pairs in figures.items():
        ours = {key: median(pairs, lambda _, two, key=key: two[key]) for key in silent}
        ratios[case] = {
            key: median(pairs, lambda one, two, key=key: two[key] / one[key]) for key in silent
        }
        print(
            f"{case:<14}{ours['program_us']:>10.1f}"
            f"{ratios[case]['program_us'] - 1:>+9.1%}{ratios[case]['process_us'] - 1:>+9.1%}"
            f"{ours['p99_us']:>8.0f}{ours['p999_us']:>8.0f}{ratios[case]['p999_us']:>7.1f}"
        )
    cost, tail = ratios["clerestory"]["program_us"] - 1, ratios["clerestory"]["p999_us"]
    print(
        f"program {cost:+.1%} (at most +{PROGRAM_MAX:.0%}), p99.9 x {tail:.1f} (at most {TAIL_MAX})"
    )
    return 0 if cost <= PROGRAM_MAX and tail <= TAIL_MAX else 1


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    raise SystemExit(main())
