"""A real server in a process of its own, for tests."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

SOURCE = Path(__file__).parents[2] / "src"


class ServerProcess:
    """Starts `python -m clerestory.server` on a free port and waits until it answers.

    Attributes:
        url: Where it answers, such as `http://127.0.0.1:41234`.
        data_dir: Its data directory.
    """

    def __init__(self, data_dir: Path | None = None, *arguments: str) -> None:
        self._own = None if data_dir else tempfile.TemporaryDirectory(prefix="clerestory-test-")
        self.data_dir = data_dir or Path(self._own.name if self._own else "")
        self._arguments = arguments
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> "ServerProcess":
        path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "clerestory.server",
                "--data-dir", str(self.data_dir), "--port", "0", *self._arguments,
            ],
            stdout=subprocess.PIPE,
            text=True,
            # a server of a test has the default ports of no other
            env={
                "CLERESTORY_SERVER_OTLP_GRPC_ADDRESS": "off",
                **os.environ,
                "PYTHONPATH": path,
            },
        )  # fmt: skip
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert "listens on" in line, f"the server did not start: {line!r}"
        self.url = line.split()[-1]
        deadline = time.monotonic() + 20
        while self.get("/health") != {"status": "ok"}:
            assert time.monotonic() < deadline
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._own:
            self._own.cleanup()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers (names in lower case) of one request."""
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                got = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, answer.read(), got
        except HTTPError as error:
            with error:
                got = {name.lower(): value for name, value in error.headers.items()}
                return error.code, error.read(), got

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a GET."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return json.loads(self.call("GET", path + query)[1])

    def send(
        self,
        lines: list[Any],
        *,
        spool: str = "",
        first: int = 0,
        resource: dict[str, Any] | None = None,
    ) -> Any:
        """Send records (dicts, or raw lines) and return the answer."""
        encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        headers = {"Content-Type": "application/x-ndjson"}
        if spool:
            headers |= {"Clerestory-Spool": spool, "Clerestory-First": str(first)}
        if resource:
            headers["Clerestory-Resource"] = urllib.parse.quote(json.dumps(resource))
        return json.loads(self.call("POST", "/v1/records", b"\n".join(encoded), headers)[1])

    def rows(self, q: str = "", **params: Any) -> list[dict[str, Any]]:
        """Return the rows that a search finds in the last day, oldest first."""
        asked = {"q": q, "from": "-1d", "order": "asc", "limit": 1000, **params}
        answer = self.get("/api/v1/logs", **asked)
        assert "rows" in answer, answer
        found: list[dict[str, Any]] = answer["rows"]
        return found
