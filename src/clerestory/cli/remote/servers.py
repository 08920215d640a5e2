"""A server as a child process: started, waited for, stopped.

    run, demo -> [servers] -> python -m clerestory.server

Invariant: a child that was started here is stopped here, whatever happens in between.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from clerestory.cli.remote.client import Client, ServerError

READY_S_MAX: Final = 60.0
STOP_S_MAX: Final = 20.0
ADDRESS_FILE: Final = "address"
_LOG_FILE: Final = "server.log"


class ServerChild:
    """`python -m clerestory.server` on a data directory; a context manager.

    Attributes:
        address: Where it listens, known once it is entered.
    """

    def __init__(self, data_dir: Path, *, port: int, host: str = "127.0.0.1") -> None:
        self.data_dir = data_dir
        self.address = ""
        self._port = port
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the child and wait until it answers.

        Raises:
            ServerError: It ended, or does not answer in time; ends with what it said.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "clerestory.server"]
        command += ["--data-dir", str(self.data_dir), "--port", str(self._port)]
        command += ["--host", self._host]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl+C reaches the program first, then we stop the server.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.address = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the child: SIGTERM, and SIGKILL if it does not end in time."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _log(self) -> Path:
        return self.data_dir / _LOG_FILE

    def _wait_until_ready(self) -> str:
        assert self._process is not None
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(
                    f"the server on {self.data_dir} ended with code {self._process.returncode}: "
                    f"{self._last_words()}"
                )
            address = address_in(self.data_dir)
            if address and Client(address, timeout_s=2).is_up():
                return Client(address).endpoint
            time.sleep(0.05)
        raise ServerError(
            f"the server on {self.data_dir} did not answer within {READY_S_MAX:g} s; "
            f"see {self._log}"
        )

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"see {self._log}"


def address_in(data_dir: Path) -> str:
    """Return the address that the server of a data directory wrote, or nothing."""
    try:
        return (data_dir / ADDRESS_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
