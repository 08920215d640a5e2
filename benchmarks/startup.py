"""What starting costs: the import, the first logger, the command's help; medians, wall time.

python benchmarks/startup.py [--runs 15]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

IN_PROCESS = {
    "import clerestory": ("import clerestory", 15.0),
    "first get_logger": ("import clerestory; clerestory.get_logger('x')", None),
}


def in_process_ms(statement: str) -> float:
    """Return what a statement takes in a fresh interpreter, without the interpreter's start."""
    program = (
        "import time; start = time.perf_counter()\n"
        f"{statement}\nprint((time.perf_counter() - start) * 1000)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(answer.stdout)


def help_ms() -> float:
    """Return what `clerestory --help` takes as a whole process."""
    command = str(Path(sys.executable).with_name("clerestory"))
    start = time.perf_counter()
    subprocess.run([command, "--help"], capture_output=True, check=True)
    return (time.perf_counter() - start) * 1000


def main() -> int:
    """Print the table; exit code 1 if a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    rows = [
        (name, statistics.median(in_process_ms(code) for _ in range(runs)), limit)
        for name, (code, limit) in IN_PROCESS.items()
    ]
    rows.append(("clerestory --help", statistics.median(help_ms() for _ in range(runs)), 100.0))
    print(f"\n{'what':24} {'ms':>8} {'limit':>8}")
    missed = False
    for name, took_ms, limit in rows:
        over = limit is not None and took_ms > limit
        missed = missed or over
        print(f"{name:24} {took_ms:8.1f} {limit or '':>8} {'MISSED' if over else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
