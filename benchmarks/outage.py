"""How much memory a program takes while its endpoint is away and a million records are logged.

    python benchmarks/outage.py [--records 1000000]

The endpoint refuses connections from the first record on. Printed is the resident memory over that
at the start, split as the kernel has it: what belongs to the process, and pages of the spool's
files, which the kernel takes back when it needs them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

OVER_MB_MAX = 60
PROGRAM = """
import json, sys, time
import clerestory

def resident():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if "Rss" in line)
    return {name: int(value.split()[0]) / 1024 for name, value in fields.items()}

log = clerestory.get_logger("outage")
clerestory.configure()
log.info("first")
time.sleep(0.5)
before = resident()
begin = time.perf_counter()
peak = before
for n in range(int(sys.argv[1])):
    log.info("Processing order", order=n, sku="abc", amount=1.5)
    if n % 20000 == 0:
        now = resident()
        peak = max(peak, now, key=lambda r: r["RssAnon"] + r["RssFile"] + r["RssShmem"])
seconds = time.perf_counter() - begin
stats = clerestory.stats()
print(json.dumps({"before": before, "peak": peak, "seconds": seconds, "stats": stats}), flush=True)
import os; os._exit(0)
"""


def main():
    """Print the figures; exit code 1 if the limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(arguments.records)],
            env=os.environ
            | {
                "CLERESTORY_DESTINATIONS": "cloudwatch:///outage",
                "CLERESTORY_SPOOL_DIRECTORY": f"{folder}/spool",
                "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://127.0.0.1:9",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "eu-central-1",
            },
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    over = {name: found["peak"][name] - found["before"][name] for name in ("RssAnon", "RssFile")}
    stats = found["stats"]
    print(f"{arguments.records:,} records in {found['seconds']:.1f} s, endpoint away")
    own, pages = over["RssAnon"], over["RssFile"]
    print(f"over the start: process {own:.1f} MB, pages of the spool {pages:.1f} MB")
    print(f"waiting {stats['backlog_bytes'] / 1e6:.0f} MB, dropped {stats['dropped']}")
    total = over["RssAnon"] + over["RssFile"]
    print(f"together {total:.1f} MB, at most {OVER_MB_MAX}")
    return 0 if total <= OVER_MB_MAX and not stats["dropped"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
