"""Real syslog receivers, rsyslog and syslog-ng of Debian, each with ports and folders of its own.

syslog-ng may lie in /opt/syslog-ng: Debian's two packages exclude each other, so that one of them
is unpacked there.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

OPT = Path("/opt/syslog-ng")


def need(name: str) -> str:
    """Return the path of a receiver; skip loudly without it, fail under CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:{OPT}/usr/sbin")
    if found is None:
        text = f"{name} is missing (apt-get install rsyslog rsyslog-openssl syslog-ng-core)"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(f"{text}: syslog is NOT tested against it")
    return found


def free_port() -> int:
    """Return a port that neither TCP nor UDP uses now."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as packet:
        stream.bind(("127.0.0.1", 0))
        port = stream.getsockname()[1]
        packet.bind(("127.0.0.1", port))
        return int(port)


class Daemon:
    """A receiver in a process of its own.

    Attributes:
        port: Where it listens, UDP and TCP, or TLS alone.
    """

    def __init__(self, folder: Path, certificate: str = "") -> None:
        self.folder = folder
        self.certificate = certificate
        self.port = free_port()
        self.output = folder / "messages.json"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Write the configuration and return what is to be started."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return the environment of the process."""
        return dict(os.environ)

    def start(self) -> None:
        """Start and wait until it listens."""
        if self.output.exists():  # the line that a killed receiver was writing
            with self.output.open("a") as file:
                file.write("\n")
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=self.environment()
            )
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            said = (self.folder / "log").read_text()
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)

    def freeze(self) -> None:
        """Stop it where it is, and wait until each of its threads stands."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while set(self._states()) != {"T"}:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def _states(self) -> Iterator[str]:
        assert self.process
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            yield (task / "stat").read_text().rpartition(")")[2].split()[0]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def messages(self) -> list[dict[str, Any]]:
        """Return what was written so far."""
        if not self.output.exists():
            return []
        whole, _, _ = self.output.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.split("\n") if _is_whole(line)]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Return the messages as soon as there are so many."""
        deadline = time.monotonic() + 15
        while len(found := self.messages()) < count:
            assert time.monotonic() < deadline, (found, (self.folder / "log").read_text())
            time.sleep(0.02)
        return found

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def _is_whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")


class Rsyslog(Daemon):
    """rsyslogd."""

    def command(self) -> list[str]:
        path = self.folder / "rsyslog.conf"
        tls = driver = ""
        if self.certificate:
            driver = (
                f'DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{self.certificate}" '
                f'DefaultNetstreamDriverCertFile="{self.certificate}" '
                f'DefaultNetstreamDriverKeyFile="{self.certificate}"'
            )
            tls = 'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
        path.write_text(
            f'global(workDirectory="{self.folder}" maxMessageSize="64k" '
            f'parser.escapeControlCharactersOnReceive="off" {driver})\n'
            'module(load="mmpstrucdata")\n'
            'module(load="imudp")\n'
            f'module(load="imtcp" {tls})\n'
            f'input(type="imtcp" address="127.0.0.1" port="{self.port}")\n'
            f'input(type="imudp" address="127.0.0.1" port="{self.port}")\n'
            'template(name="all" type="string" string="%jsonmesg%\\n")\n'
            'action(type="mmpstrucdata")\n'
            f'action(type="omfile" file="{self.output}" template="all" asyncWriting="off")\n'
        )
        return [need("rsyslogd"), "-n", "-i", "NONE", "-f", str(path)]


class SyslogNg(Daemon):
    """syslog-ng."""

    def environment(self) -> dict[str, str]:
        libraries = f"{OPT}/usr/lib/syslog-ng:{OPT}/usr/lib/x86_64-linux-gnu"
        return dict(os.environ) | ({"LD_LIBRARY_PATH": libraries} if OPT.exists() else {})

    def command(self) -> list[str]:
        path = self.folder / "syslog-ng.conf"
        where = f"ip(127.0.0.1) port({self.port})"
        sources = f'syslog({where} transport("tcp")); syslog({where} transport("udp"));'
        if self.certificate:
            files = f'key-file("{self.certificate}") cert-file("{self.certificate}")'
            sources = (
                f'syslog({where} transport("tls") tls({files} peer-verify(optional-untrusted)));'
            )
        template = '"$(format-json --scope rfc5424 --scope nv-pairs)\\n"'
        path.write_text(
            "@version: 3.38\n"
            "options { keep-hostname(yes); log-msg-size(65536); };\n"
            f"source s {{ {sources} }};\n"
            f'destination d {{ file("{self.output}" template({template}) flush-lines(1)); }};\n'
            "log { source(s); destination(d); };\n"
        )
        modules = OPT / "usr/lib/syslog-ng/3.38"
        where_modules = [f"--module-path={modules}"] if modules.exists() else []
        places = {"persist-file": "persist", "pidfile": "pid", "control": "control"}
        own = [f"--{option}={self.folder / name}" for option, name in places.items()]
        return [need("syslog-ng"), "-F", "--no-caps", "-f", str(path), *own, *where_modules]
