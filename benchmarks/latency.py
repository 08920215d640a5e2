"""From the call to a live tail: how long a record takes until an open page could draw it.

    python benchmarks/latency.py [--records 10000] [--rate 1000]

A program logs at a steady rate to a real server; a WebSocket tail, as the page has one, notes
when each record arrives. The limit is a p99 of one second.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PROGRAM = """
import sys, time
import clerestory
log = clerestory.get_logger("latency")
records, rate = int(sys.argv[1]), float(sys.argv[2])
start = time.monotonic()
for n in range(records):
    log.info("timed", n=n, at=time.time_ns())
    wait = start + (n + 1) / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
"""


def tail(url: str, records: int, waits_ms: list[float], ready: threading.Event) -> None:
    """Collect the wait of each record until all have come."""
    from websockets.sync.client import connect

    address = url.replace("http", "ws", 1) + "/api/v1/tail?q=timed"
    with connect(address, origin=url, max_size=None, proxy=None) as socket:
        ready.set()
        while len(waits_ms) < records:
            frame = json.loads(socket.recv(timeout=30))
            now = time.time_ns()
            waits_ms += [(now - row["attrs"]["at"]) / 1e6 for row in frame["rows"]]


def main() -> int:
    """Print the percentiles; exit code 1 if the limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1000)
    arguments = parser.parse_args()
    waits_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "clerestory.server",
                "--data-dir",
                f"{folder}/data",
                "--port",
                "0",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            ready = threading.Event()
            reader = threading.Thread(
                target=tail, args=(url, arguments.records, waits_ms, ready), daemon=True
            )
            reader.start()
            ready.wait(20)
            program = Path(folder) / "program.py"
            program.write_text(PROGRAM)
            subprocess.run(
                [sys.executable, str(program), str(arguments.records), str(arguments.rate)],
                env=os.environ
                | {
                    "CLERESTORY_ENDPOINT": url,
                    "CLERESTORY_DESTINATIONS": "server",
                    "CLERESTORY_SPOOL_DIRECTORY": f"{folder}/spool",
                },
                check=True,
            )
            reader.join(30)
        finally:
            server.terminate()
            server.wait(20)
    waits_ms.sort()
    if len(waits_ms) < arguments.records:
        print(f"only {len(waits_ms)} of {arguments.records} records came")
        return 1
    p50, p99 = (waits_ms[int(len(waits_ms) * share)] for share in (0.5, 0.99))
    print(
        f"\ncall to tail at {arguments.rate:.0f}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms (limit 1000)"
    )
    return 0 if p99 <= 1000 else 1


if __name__ == "__main__":
    raise SystemExit(main())
