"""The three programs of the demo as child processes.

    [programs] -> gunicorn (shop), trainer, otel-app

Invariant: a program that was started is stopped; what it said stands in its own file.
"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from clerestory.cli.demo.counting import DIRECTORY_VARIABLE, total
from clerestory.model.errors import ClerestoryError

NAMES: Final = ("shop", "trainer", "otel-app")
STOP_S_MAX: Final = 15.0
_HERE: Final = Path(__file__).parent


class Programs:
    """The three programs, running; a context manager.

    Attributes:
        counts: Directory in which they count what they made.
    """

    def __init__(self, directory: Path, *, endpoint: str, shop_port: int) -> None:
        self.counts = directory / "counts"
        self.spool = directory / "spool"
        self._logs = directory
        self._endpoint = endpoint
        self._shop_port = shop_port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self.counts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self.counts.glob("*.count"):
            old.unlink()
        python = sys.executable
        gunicorn = [python, "-m", "gunicorn", "--workers", "2", "--threads", "2"]
        gunicorn += ["--bind", f"127.0.0.1:{self._shop_port}", "--graceful-timeout", "5"]
        try:
            self._start("shop", [*gunicorn, "clerestory.cli.demo.shop:app"])
            self._start("trainer", [python, "-m", "clerestory.cli.demo.trainer"])
            self._start("otel-app", [python, str(_HERE / "otel_app.py")])
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def made(self, name: str) -> int:
        """Return how many records a program made; otel-app says so at its end."""
        return total(name, self.counts)

    def check(self) -> None:
        """Raise if a program has ended by itself.

        Raises:
            ClerestoryError: Names the program and ends with what it said.
        """
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None:
                said = self._log(name).read_text(encoding="utf-8", errors="replace").strip()
                last = said.splitlines()[-1] if said else "it said nothing"
                raise ClerestoryError(f"{name} ended with code {code}: {last}")

    def stop(self) -> None:
        """SIGTERM to all, then wait; SIGKILL for one that does not end."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_S_MAX
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self._files.close()

    def _start(self, name: str, command: list[str]) -> None:
        log = self._files.enter_context(self._log(name).open("wb"))
        self._processes[name] = subprocess.Popen(
            command,
            env=self._environment(name),
            cwd=self._logs,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _environment(self, name: str) -> dict[str, str]:
        """Return what the program sees: nobody's own settings, and its own spool."""
        strange = ("CLERESTORY_", "OTEL_")
        found = {key: value for key, value in os.environ.items() if not key.startswith(strange)}
        found[DIRECTORY_VARIABLE] = str(self.counts)
        if name == "otel-app":
            if not self._endpoint.endswith(":4318"):
                found["OTEL_EXPORTER_OTLP_ENDPOINT"] = self._endpoint
            return found
        found["CLERESTORY_ENDPOINT"] = self._endpoint
        found["CLERESTORY_SERVICE"] = name
        found["CLERESTORY_SPOOL_DIRECTORY"] = str(self.spool)
        if name == "shop":
            # gunicorn's own lines are not the shop's: the table compares what the shop made.
            found["CLERESTORY_CAPTURE_LOGGING"] = "false"
        return found
