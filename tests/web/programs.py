"""Starts programs that answer requests, and finds out where."""

import os
import re
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

from tests.cli.shell import Shell
from tests.contracts.case import wait_until

# Several programs start at once, maybe on a machine that has other work.
START_S = 60
_ADDRESS = re.compile(r"(?:Running on|Listening at:|running on) (http://127\.0\.0\.1:\d+)")


class Program:
    """A command that says on standard error where it listens.

    Attributes:
        url: Where it answers.
        told: What it wrote, both streams.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.told = ""
        self.url = ""
        streams = (process.stdout, process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(one,)) for one in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream) -> None:
        for line in stream:
            self.told += line
            found = _ADDRESS.search(line)
            if found is not None:
                self.url = found[1]
        stream.close()

    def ready(self) -> "Program":
        """Wait until it listens."""
        wait_until(lambda: self.url or self.process.poll() is not None, START_S)
        assert self.url, self.told
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(START_S)
        for reader in self._readers:
            reader.join()
        return code


@contextmanager
def started(shell: Shell, *arguments: str, **environ: str):
    """Start `clerestory` with arguments."""
    shell.environ |= environ
    program = Program(shell.start(*arguments))
    try:
        yield program
    finally:
        program.stop()


@contextmanager
def started_plainly(command: list[str], folder: Path, **environ: str):
    """Start a command as it is."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        program.stop()
