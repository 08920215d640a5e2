"""Runs every benchmark, one after the other, and prints their tables: `make bench`.

python benchmarks/run.py [--quick]
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS = {
    "startup.py": ([], ["--runs", "5"]),
    "call.py": ([], ["--rounds", "3"]),
    "spans.py": ([], ["--rounds", "3"]),
    "latency.py": ([], ["--records", "3000"]),
    "ingest.py": (["--records", "5000000"], ["--records", "400000"]),
    "delivery.py": ([], ["--rounds", "2"]),
    "otlp_export.py": ([], ["--rounds", "2"]),
    "overhead.py": ([], ["--rounds", "1"]),
    "outage.py": ([], []),
}


def main() -> int:
    """Run them all; exit code 1 if one missed a target."""
    quick = "--quick" in sys.argv[1:]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"load average at the start: {load}")
    missed = []
    for name, (full, short) in BENCHMARKS.items():
        print(f"\n== {name}", flush=True)
        command = [sys.executable, str(FOLDER / name), *(short if quick else full)]
        if subprocess.run(command, check=False).returncode:
            missed.append(name)
    print(f"\nmissed a target: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
