"""Syslog receivers: rsyslog and syslog-ng of Debian, and a strict double that breaks on demand.

syslog-ng may lie in /opt/syslog-ng: Debian's two packages exclude each other, so that one of them
is unpacked there.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import pytest

from tests.doubles.syslog_messages import PARSERS, Message, next_frame
from tests.support.certificates import make_certificate

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


@dataclass(frozen=True, kw_only=True)
class Break:
    """What goes wrong with a connection.

    kind: reset | hang | slow | mute | strange | stranger
    wait_s: How long it hangs, or stays mute; the pause between reads if it is slow.
    bytes_read: How much it reads before it resets the connection.
    """

    kind: str = ""
    wait_s: float = 30.0
    bytes_read: int = 0


class StreamReceiver:
    """A strict receiver of octet-counted frames over TCP or TLS; as all of them it never answers.

    A `reset` aborts the connection after `bytes_read`, a `hang` after it read nothing for a while.
    A `slow` one reads 4 KB a time. A `mute` one never shakes hands, a `strange` one shows a
    certificate that nobody trusts, and to one that wants certificates every program is a
    `stranger`.

    Attributes:
        port: Where it listens, the same after a stop.
        ca_file: Its certificate; empty without TLS.
        accepted: Identity of each record that it took, in order; a resend appears twice.
        messages: What it took.
        violations: What broke a rule of the RFCs.
        connections: How many there were.
    """

    def __init__(self, *, form: str = "rfc5424", bytes_max: int = 8192, tls: bool = False) -> None:
        self.accepted: list[str] = []
        self.messages: list[Message] = []
        self.violations: list[str] = []
        self.connections = 0
        self._parse = PARSERS[form]
        self._bytes_max = bytes_max
        self._folder = TemporaryDirectory(prefix="syslog-")
        folder = Path(self._folder.name)
        (folder / "strange").mkdir()
        self.ca_file = make_certificate(folder) if tls else ""
        self._strange_file = make_certificate(folder / "strange")
        self._breaks: list[Break] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    def listen(self) -> None:
        """Take connections, at the port of before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(32)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._run(self._take, listener)

    def stop(self) -> None:
        """Refuse connections, and end those that there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            left = list(self._open)
        for one in left:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def fail(self, kind: str, *, times: int = 1, **more: Any) -> None:
        """Let so many of the next connections break."""
        with self._lock:
            self._breaks += [Break(kind=kind, **more)] * times

    def heal(self) -> None:
        """Forget what should break, and listen."""
        with self._lock:
            self._breaks.clear()
        if self._listener is None:
            self.listen()

    def close(self) -> None:
        """Stop, and wait until every connection has ended."""
        self._closing.set()
        self.stop()
        for one in self._threads:
            one.join(10)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def connected(self) -> int:
        """Number of connections that are open now."""
        with self._lock:
            return len(self._open)

    # -- one connection ------------------------------------------------------------------------

    def _run(self, target: Callable[[socket.socket], None], argument: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(argument,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _take(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                connection, _ = listener.accept()
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            broken = self._breaks.pop(0) if self._breaks else Break()
        stream = connection
        try:
            stream = self._shaken(connection, broken)
            with self._lock:
                self._open.add(stream)
            self._read(stream, broken)
        except OSError:
            pass  # what should break broke, or the other side went
        finally:
            stream.close()
            with self._lock:
                self._open.discard(stream)

    def _shaken(self, connection: socket.socket, broken: Break) -> socket.socket:
        if broken.kind == "mute":
            self._closing.wait(broken.wait_s)
        if not self.ca_file:
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        strange = broken.kind == "strange"
        context.load_cert_chain(self._strange_file if strange else self.ca_file)
        if broken.kind == "stranger":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._strange_file)
        return context.wrap_socket(connection, server_side=True)

    def _read(self, stream: socket.socket, broken: Break) -> None:
        if broken.kind == "hang":
            self._closing.wait(broken.wait_s)
        pause_s = broken.wait_s if broken.kind == "slow" else 0.0
        left, octets = broken.bytes_read, b""
        resets = broken.kind in {"reset", "hang"}
        while not resets or left > 0:
            found = stream.recv(min(left, 4096) if resets else 4096)
            if not found:
                return
            left -= len(found)
            octets = self._taken(octets + found)
            self._closing.wait(pause_s)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _taken(self, octets: bytes) -> bytes:
        try:
            while frame := next_frame(octets, self._bytes_max):
                content, octets = frame
                message = self._parse(content)
                with self._lock:
                    self.messages.append(message)
                    self.accepted.append(message.data["_cid"])
        except (ValueError, KeyError) as error:
            self.violations.append(f"{error!r} in {octets[:300]!r}")
            raise ConnectionAbortedError from error
        return octets
