"""From the call to a row that is drawn: how long until an open page shows a record.

    python benchmarks/latency.py [--records 10000] [--rate 1000]

A program logs at a steady rate to a real server, twice. First a WebSocket tail, as the page has
one, notes when each record arrives. Then Chromium follows the page: in every frame it notes the
newest row it has drawn, and a record counts as drawn in the first frame whose newest row is that
record or a later one. The limit is a p99 of one second.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.server import ServerProcess
from tests.ui.conftest import ARGUMENTS, CHROMIUM

LIMIT_MS = 1000
PROGRAM = """
import sys, time
import clerestory
log = clerestory.get_logger("latency")
records, rate = int(sys.argv[1]), float(sys.argv[2])
start = time.monotonic()
made = []
for n in range(records):
    made.append(time.time_ns())
    log.info("timed %d", made[-1])
    wait = start + (n + 1) / rate - time.monotonic()
    if wait > 0:
        time.sleep(wait)
print(made)
"""
WATCH = """() => {
  window.frames_seen = [];
  const look = () => {
    const rows = document.querySelectorAll('.rows .row');
    const found = rows.length && /timed (\\d+)/.exec(rows[rows.length - 1].textContent);
    if (found) window.frames_seen.push([Date.now(), found[1]]);
    requestAnimationFrame(look);
  };
  look();
}"""


class Program:
    """A process that logs at a steady rate, and tells when it logged."""

    def __init__(self, url: str, records: int, rate: float) -> None:
        self._folder = tempfile.TemporaryDirectory()
        environment = os.environ | {
            "CLERESTORY_ENDPOINT": url,
            "CLERESTORY_DESTINATIONS": "server",
            "CLERESTORY_SPOOL_DIRECTORY": self._folder.name,
        }
        command = [sys.executable, "-c", PROGRAM, str(records), str(rate)]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    def times_ns(self) -> list[int]:
        """Wait until it has ended and return when it logged each record."""
        told, _ = self._process.communicate(timeout=120)
        self._folder.cleanup()
        return json.loads(told)


def to_tail(server: ServerProcess, records: int, rate: float) -> list[float]:
    """Return each record's wait in ms until a live tail has it."""
    from websockets.sync.client import connect

    waits_ms: list[float] = []
    address = server.url.replace("http", "ws", 1) + "/api/v1/tail?q=timed"
    with connect(address, origin=server.url, max_size=None, proxy=None) as socket:
        program = Program(server.url, records, rate)
        while len(waits_ms) < records:
            frame = json.loads(socket.recv(timeout=30))
            now = time.time_ns()
            waits_ms += [(now - int(row["message"].split()[1])) / 1e6 for row in frame["rows"]]
        program.times_ns()
    return waits_ms


def to_page(server: ServerProcess, records: int, rate: float) -> list[float]:
    """Return each record's wait in ms until Chromium has drawn it or a later one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        server.send([{"timestamp": time.time_ns(), "message": "the page has a first row"}])
        page.goto(f"{server.url}/logs?live=1")
        page.wait_for_selector(".rows .row")
        page.evaluate(WATCH)
        program = Program(server.url, records, rate)
        page.wait_for_timeout(records / rate * 1000 + 4000)
        made = program.times_ns()
        seen = [(at_ms, int(newest)) for at_ms, newest in page.evaluate("window.frames_seen")]
        browser.close()
    newest = list(itertools.accumulate((at_ns for _, at_ns in seen), max))
    drawn = [(bisect_left(newest, at_ns), at_ns) for at_ns in made]
    return [seen[frame][0] - at_ns / 1e6 for frame, at_ns in drawn if frame < len(seen)]


def main() -> int:
    """Print the percentiles; exit code 1 if the limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1000)
    arguments = parser.parse_args()
    missed = False
    for name, measure in (("live tail", to_tail), ("row in the page", to_page)):
        with ServerProcess() as server:
            waits_ms = sorted(measure(server, arguments.records, arguments.rate))
        if len(waits_ms) < arguments.records:
            print(f"call to {name}: only {len(waits_ms)} of {arguments.records} records came")
            missed = True
            continue
        p50, p99 = (waits_ms[int(len(waits_ms) * share)] for share in (0.5, 0.99))
        print(
            f"call to {name} at {arguments.rate:.0f}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms "
            f"(limit {LIMIT_MS})",
            flush=True,
        )
        missed = missed or p99 > LIMIT_MS
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
