"""Listen, serve, drain, stop.

    command line -> [run] -> lock -> app

Invariant: on SIGTERM or SIGINT every request that was taken is answered and every record that was
queued is stored, then the store is closed and the exit code is 0.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvicorn

from clerestory.model.errors import ConfigurationError
from clerestory.server.app import House, build_app, build_house
from clerestory.server.limits import ServerOptions
from clerestory.server.lock import locked
from clerestory.server.xray.daemon.address import Sockets, listen

__all__ = ["ServerOptions", "serve"]

GRACE_S: Final = 10
BACKLOG: Final = 1024

# Gets the server's URL, and its doors as `House.doors` tells them.
OnReady = Callable[[str, list[dict[str, Any]]], None]


def serve(options: ServerOptions, *, on_ready: OnReady | None = None) -> int:
    """Run a server until it is told to stop.

    Args:
        options: Address, directory and limits.
        on_ready: Called once when it answers.

    Returns:
        The exit code, 0.

    Raises:
        DataDirectoryInUseError: Another server has the directory.
        ConfigurationError: An address cannot be listened on.
        StoreError: The store cannot be opened.
    """
    directory = Path(options.data_dir).expanduser().resolve()
    with locked(directory), contextlib.ExitStack() as closing:
        listening = _listen(options.host, options.port)
        closing.callback(listening.close)
        port = listening.getsockname()[1]
        daemon, why = _daemon(options)
        if daemon is not None:
            closing.callback(daemon.close)
        options = replace(options, data_dir=directory, port=port)
        house = build_house(options)
        closing.callback(house.close)
        house.otlp_grpc.open(options.otlp_grpc_address, must=_is_set(options, "otlp_grpc_address"))
        if daemon is not None:
            house.xray.receive(daemon)
        elif why:
            house.xray.why = why
        with _address_file(directory, _url(options.host, port)) as url:
            server = _Server(house, lambda: on_ready(url, house.doors()) if on_ready else None)
            server.run(sockets=[listening, *([daemon.tcp] if daemon else [])])
    return 0


def _is_set(options: ServerOptions, name: str) -> bool:
    """Say whether somebody set an option, and so counts on it."""
    return dict(options.origins).get(name, "default") != "default"


def _daemon(options: ServerOptions) -> tuple[Sockets | None, str]:
    """Return the sockets for X-Ray, or why there are none although they are not off."""
    try:
        return listen(options.xray_address), ""
    except ConfigurationError as error:
        if _is_set(options, "xray_address"):
            raise
        return None, str(error)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        message = (
            f"cannot listen on {host} port {port}: {error.strerror}; "
            "choose another with --port (0 takes any free one)"
        )
        raise ConfigurationError(message) from error
    listening.listen(BACKLOG)
    return listening


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
    return f"http://{shown}:{port}"


@contextlib.contextmanager
def _address_file(directory: Path, url: str) -> Iterator[str]:
    path = directory / "address"
    fresh = directory / f"address.{os.getpid()}"
    fresh.write_text(url + "\n")
    fresh.replace(path)
    try:
        yield url
    finally:
        path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """A server that tells when it answers and ends its tails when it stops."""

    def __init__(self, house: House, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(house),
                access_log=False,
                log_level="warning",
                server_header=False,
                ws="websockets-sansio",
                ws_max_size=1024 * 1024,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=75,
            )
        )
        self._house = house
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._house.hub.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT without dying of them afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
