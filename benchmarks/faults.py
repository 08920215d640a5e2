"""What is lost and what is doubled under faults: ours beside watchtower and OpenTelemetry's SDK.

    python benchmarks/faults.py [--rows burst,503,sigkill] [--peers clerestory,watchtower,otel]
                                [--seconds 10,30] [--records 20000] [--runs 1]

Each program runs in a process of its own, with its defaults, against one local endpoint that
enforces the limits of PutLogEvents and breaks on demand. Ours may need the next process to deliver
what a killed one left; it is started for every row, and what arrives through it counts. Prints a
Markdown table: lost / doubled of the calls that returned. A race is a race: with `--runs` above 1
the table shows ranges.
"""

import argparse
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from delivery import Endpoint, environment

FOLDER = Path(__file__).parent
PEERS = ("clerestory", "watchtower", "otel")
TIMEOUT_S = 120
# Key: what happens, what the program does, its rate (0: unpaced), what the endpoint does.
ROWS = {
    "none": ("nothing, 2,000/s", "exit", 2000, {}),
    "burst": ("burst before the stream exists", "exit", 0, {}),
    "create": ("CreateLogStream takes 0.3 s", "exit", 2000, {"create_s": 0.3}),
    "503": ("503 for {s} s", "exit", 2000, {"kind": "503", "for_s": 0}),
    "reset": ("connection resets for {s} s", "exit", 2000, {"kind": "reset", "for_s": 0}),
    "hang": ("the endpoint hangs for {s} s", "exit", 2000, {"kind": "hang", "for_s": 0}),
    "throttle": ("throttling for {s} s", "exit", 2000, {"kind": "throttle", "for_s": 0}),
    "lost-answer": (
        "3 answers lost after acceptance",
        "exit",
        2000,
        {"kind": "drop_answer", "times": 3},
    ),
    "down": ("endpoint down until after the exit", "exit", 2000, {"kind": "503", "for_s": 3600}),
    "sigterm": ("SIGTERM", "sigterm", 2000, {}),
    "sigkill": ("SIGKILL", "sigkill", 2000, {}),
    "_exit": ("os._exit", "_exit", 2000, {}),
    "child": ("half of them in a multiprocessing child", "child", 2000, {}),
    "gunicorn": ("gunicorn, workers killed", "web", 0, {}),
    "poison": ("one record that is never accepted", "poison", 2000, {}),
    "old": ("one record 25 h old", "old", 2000, {}),
    "large": ("records of 300 KB and 1.1 MB", "large", 2000, {}),
    "disk": ("disk of 24 MB full", "disk", 4000, {}),
}
_TIMED = ("503", "reset", "hang", "throttle")


class Trial:
    """One program under one fault."""

    def __init__(self, endpoint, peer, records):
        self.endpoint = endpoint
        self.peer = peer
        self.records = records
        self.folder = Path(tempfile.mkdtemp(prefix="clerestory-faults-"))
        self.spool = self.folder / "state"
        self.note = ""

    def run(self, scenario, rate, fault, seconds):
        """Return how many were lost and how many doubled."""
        fault = dict(fault)
        count = count_of(rate, fault, seconds, self.records)
        if fault.get("for_s") == 0:
            fault["for_s"] = seconds
        self.endpoint.ask("/control", {"create_s": fault.pop("create_s", 0.0)})
        try:
            if scenario == "web":
                made = self._web()
            else:
                self._program(scenario, count, rate, fault)
                made = self._made()
            if not made and not self.note:
                self.note = "ended before it logged"
            kept = self._settled()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        return len(made - kept.keys()), sum(kept[key] - 1 for key in made & kept.keys())

    # -- programs --------------------------------------------------------------------------------

    def _environment(self):
        return environment(self.endpoint.url, self.spool) | {
            "FAULT_PEER": self.peer,
            "PYTHONPATH": str(FOLDER),
        }

    def _start(self, scenario, count, rate):
        script = str(FOLDER / "fault_case.py")
        path = str(self.folder / "counter")
        return subprocess.Popen(
            [sys.executable, script, self.peer, scenario, path, str(count), str(rate)],
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _program(self, scenario, count, rate, fault):
        if scenario == "disk":
            return self._on_full_disk(count, rate)
        process = self._start(scenario, count, rate)
        if fault:
            # A program that starts under a fault is another row's matter: watchtower raises.
            self._wait_for(self.records // 10)
            self.endpoint.ask("/fault", fault)
        self._wait(process)
        return None

    def _wait(self, process):
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.note = f"did not end in {TIMEOUT_S} s"

    def _wait_for(self, count):
        deadline = time.monotonic() + 30
        while len(self._made()) < count and time.monotonic() < deadline:
            time.sleep(0.05)

    def _on_full_disk(self, count, rate):
        self.spool.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self.spool)]
        if os.geteuid() or subprocess.run(mount, check=False).returncode:
            self.note = "not run: no tmpfs can be mounted here"
            return
        try:
            process = self._start("exit", count, rate)
            self._wait_for(count // 10)
            fill(self.spool / "filler")
            self._wait(process)
            (self.spool / "filler").unlink()
            self._next_process()
        finally:
            subprocess.run(["umount", "-l", str(self.spool)], check=False)

    def _web(self):
        """Serve requests, kill both workers twice; return the ids of the answered ones."""
        web = Gunicorn(self._environment())
        made = set()
        try:
            for number in range(self.records // 20):
                pid = web.ask(number)
                if pid:
                    made.add(f"web:{number}")
                if pid and number % (self.records // 60) == self.records // 80:
                    os.kill(pid, signal.SIGKILL)
        finally:
            web.stop()
        return made

    # -- accounts --------------------------------------------------------------------------------

    def _made(self):
        """Return the ids of the records whose call returned."""
        made = set()
        for file in self.folder.glob("counter.*"):
            content = file.read_bytes()
            if len(content) == 8:
                who = file.name.partition(".")[2]
                made.update(f"{who}:{n}" for n in range(struct.unpack("<Q", content)[0]))
        return made

    def _settled(self):
        """Heal the endpoint, let the next process deliver, return how often each id came."""
        self.endpoint.ask("/fault", {})
        self._next_process()
        before, same = -1, 0
        while same < 5:
            time.sleep(0.2)
            kept = self.endpoint.ask("/ids")
            same = same + 1 if kept["events"] == before else 0
            before = kept["events"]
        if kept["broken"]:
            self.note = f"{kept['broken']} cut in mid-text"
        elif kept["shortened"]:
            self.note = f"{kept['shortened']} shortened, valid, marked"
        return kept["ids"]

    def _next_process(self):
        if self.peer == "clerestory":
            self._wait(self._start("adopt", 0, 0))


class Gunicorn:
    """Two workers that were forked from a loaded application."""

    def __init__(self, variables):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        bind = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-b", bind, "-w", "2", "--preload", "fault_app:app"],
            cwd=FOLDER,
            env=variables,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self.ask(999_999) and time.monotonic() < deadline:
            time.sleep(0.05)

    def ask(self, number):
        """Make one request; return the worker's pid, 0 when it failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/?{number}")
            return int(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def stop(self):
        """End it as its operator would."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def count_of(rate, fault, seconds, records):
    """Return how many records are made: more where the fault must end before they do."""
    return max(records, int(rate * (seconds + 4))) if fault.get("for_s") == 0 else records


def fill(path):
    """Fill the disk that the file is on."""
    with path.open("wb") as file:
        try:
            while True:
                file.write(bytes(65536))
                file.flush()
        except OSError:
            pass


def shown(results):
    """Return a cell: lost / doubled, as ranges where runs differ."""
    cells = []
    for values in zip(*[pair for pair, _ in results], strict=True):
        low, high = min(values), max(values)
        cells.append(f"{low:,}" if low == high else f"{low:,} to {high:,}")
    notes = {note for _, note in results if note}
    return " / ".join(cells) + (f" ({'; '.join(sorted(notes))})" if notes else "")


def trial(endpoint, peer, key, seconds, records):
    """Run one cell once."""
    _, scenario, rate, fault = ROWS[key]
    one = Trial(endpoint, peer, records)
    return one.run(scenario, rate, fault, seconds), one.note


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--seconds", default="10,30")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    peers = arguments.peers.split(",")
    print(f"| fault | records | {' | '.join(peers)} |")
    print(f"|---|---|{'---|' * len(peers)}")
    ours_lost = 0
    for key in arguments.rows.split(","):
        for seconds in map(int, arguments.seconds.split(",") if key in _TIMED else ["0"]):
            cells = []
            for peer in peers:
                results = run_cell(arguments, peer, key, seconds)
                cells.append(shown(results))
                if peer == "clerestory":
                    ours_lost += sum(pair[0] for pair, _ in results)
            what, scenario, rate, fault = ROWS[key]
            count = count_of(rate, fault, seconds, arguments.records)
            made = "answered requests" if scenario == "web" else f"{count:,}"
            print(f"| {what.format(s=seconds)} | {made} | {' | '.join(cells)} |", flush=True)
    return 1 if ours_lost else 0


def run_cell(arguments, peer, key, seconds):
    """Run one cell as often as asked, each time with a fresh endpoint."""
    results = []
    for _ in range(arguments.runs):
        endpoint = Endpoint()
        try:
            results.append(trial(endpoint, peer, key, seconds, arguments.records))
        finally:
            endpoint.stop()
    return results


if __name__ == "__main__":
    raise SystemExit(main())
