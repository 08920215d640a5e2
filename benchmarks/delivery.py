"""What bringing records to CloudWatch Logs costs: ours beside watchtower, alternating in one run.

    python benchmarks/delivery.py [--rounds 5] [--records 100000]

All log the same message with the same fields, with the defaults of each, to one local endpoint
that enforces the limits of PutLogEvents and runs in a process of its own:

    clerestory           the logger, destination `cloudwatch`
    clerestory unmasked  the same with `redact.values` off, as watchtower masks nothing
    clerestory handler   `CloudWatchLogHandler` on the standard library's logger
    watchtower           its handler, dictionaries as messages, attributes of the record added

`sender` is the CPU time of everything but the calling thread, `whole` that of the process, both
from the first call until the last record is acknowledged. A round counts only if every record
arrived.

Machine and loopback are shared: the ratios are the figures to use.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).parent
CASES = {
    "clerestory": "clerestory",
    "clerestory unmasked": "unmasked",
    "clerestory handler": "handler",
    "watchtower": "watchtower",
}
# Ratios to watchtower: CPU of the process, records a second.
TARGETS = {"clerestory": (6.0, 5.0)}


class Endpoint:
    """The endpoint in its process."""

    def __init__(self):
        script = FOLDER / "cloudwatch_endpoint.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()

    def ask(self, path, content=None):
        """Return what the endpoint answers."""
        body = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(self.url + path, data=body, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(10)


def environment(url, folder):
    """Return the environment of a program that logs to the endpoint."""
    return os.environ | {
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "CLERESTORY_SPOOL_DIRECTORY": f"{folder}/spool",
        "CLERESTORY_DESTINATIONS": "memory",
    }


def measure(case, records, endpoint):
    """Run one case in a fresh process and return its figures."""
    endpoint.ask("/control", {})
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, str(FOLDER / "delivery_case.py"), case, str(records)],
            env=environment(endpoint.url, folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    if answer.returncode:
        raise SystemExit(f"case {case} failed:\n{answer.stderr[-2000:]}")
    figures = json.loads(answer.stdout.strip().splitlines()[-1])
    kept = endpoint.ask("/ids")["ids"]
    return figures | {"lost": records - sum(key.startswith("bench:") for key in kept)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=100_000)
    arguments = parser.parse_args()
    endpoint = Endpoint()
    results = {name: [] for name in CASES}
    try:
        for _ in range(arguments.rounds):
            for name, case in CASES.items():
                results[name].append(measure(case, arguments.records, endpoint))
    finally:
        endpoint.stop()
    return report(results)


def report(results):
    """Print the tables; return 1 if a target was missed or a record of ours was lost."""
    print(f"\n{'case':20} {'sender s/1M':>12} {'whole s/1M':>12} {'records/s':>10} {'lost':>6}")
    for name, rows in results.items():
        cells = [statistics.median(row[key] for row in rows) for key in ("sender", "whole", "rate")]
        lost = sum(row["lost"] for row in rows)
        print(f"{name:20} {cells[0]:12.2f} {cells[1]:12.2f} {cells[2]:10.0f} {lost:6d}")
    print(f"\n{'against watchtower':20} {'sender':>8} {'whole':>8} {'records/s':>10}")
    reached = True
    for name in CASES:
        if name == "watchtower":
            continue
        pairs = list(zip(results["watchtower"], results[name], strict=True))
        sender, whole = (
            statistics.median(theirs[key] / ours[key] for theirs, ours in pairs)
            for key in ("sender", "whole")
        )
        rate = statistics.median(ours["rate"] / theirs["rate"] for theirs, ours in pairs)
        whole_target, rate_target = TARGETS.get(name, (0, 0))
        missed = whole < whole_target or rate < rate_target
        reached = reached and not missed and not sum(row["lost"] for row in results[name])
        print(f"{name:20} {sender:8.1f} {whole:8.1f} {rate:10.1f} {'MISSED' if missed else ''}")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
