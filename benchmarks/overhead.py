"""What delivery does to the program: 18 us of work and one log a turn, beside the peers.

    python benchmarks/overhead.py [--rounds 3] [--turns 80000]

Each case runs in a process of its own, all cases of a round do the same work, and send to an
endpoint in another process: nothing is logged;
clerestory to CloudWatch; clerestory with an agent that ships; watchtower; OpenTelemetry. `program`
is the CPU time of the program's own thread, `process` that of all its threads, both beside a
program that does not log. The figures are medians.
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
CASES = ("nothing", "clerestory", "agent", "watchtower", "opentelemetry")
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


def run_case(case, turns, amount, url, folder):
    """Return the figures of one run."""
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
        return json.loads(started(case, turns, amount, env=own))
    finally:
        if agent is not None:
            agent.terminate()
            agent.wait(30)


def main():
    """Print the table; exit code 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=80_000)
    arguments = parser.parse_args()
    figures = {case: [] for case in CASES}
    endpoint = Endpoint()
    try:
        for _ in range(arguments.rounds):
            amount = started("calibrate", env=os.environ)
            for case in CASES:
                with tempfile.TemporaryDirectory() as folder:
                    endpoint.ask("/control", {})
                    figures[case].append(
                        run_case(case, arguments.turns, amount, endpoint.url, folder)
                    )
    finally:
        endpoint.stop()
    return report(figures)


def report(figures):
    """Print what was measured; return the exit code."""
    middle = {
        case: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for case, runs in figures.items()
    }
    idle = middle["nothing"]
    print(
        f"{'':<14}{'us a turn':>10}{'program':>9}{'process':>9}{'p99':>8}{'p99.9':>8}{'ratio':>7}"
    )
    for case, row in middle.items():
        print(
            f"{case:<14}{row['program_us']:>10.1f}"
            f"{row['program_us'] / idle['program_us'] - 1:>+9.1%}"
            f"{row['process_us'] / idle['process_us'] - 1:>+9.1%}"
            f"{row['p99_us']:>8.0f}{row['p999_us']:>8.0f}{row['p999_us'] / idle['p999_us']:>7.1f}"
        )
    ours = middle["clerestory"]
    cost = ours["program_us"] / idle["program_us"] - 1
    tail = ours["p999_us"] / idle["p999_us"]
    print(
        f"program {cost:+.1%} (at most +{PROGRAM_MAX:.0%}), p99.9 x {tail:.1f} (at most {TAIL_MAX})"
    )
    return 0 if cost <= PROGRAM_MAX and tail <= TAIL_MAX else 1


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    raise SystemExit(main())
