"""OTLP over gRPC: exporters whose protocol is `grpc`, which is the default of many.

    OpenTelemetry SDK ~~> [otlp_grpc] -> intake -> store

The bodies are those of OTLP over HTTP; gRPC only carries them, so nothing is parsed here. Which
status lets an exporter send again: https://opentelemetry.io/docs/specs/otlp/#failures.

Invariant: OK means stored; whatever may be sent again later says when, by RetryInfo.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clerestory.model.errors import ConfigurationError
from clerestory.wire.protobuf import field, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Keep = Callable[[bytes], BaseException | None]

OFF: Final = "off"
THREADS: Final = 4
STOP_S: Final = 10.0
SERVICES: Final = {
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
}
_RETRY_INFO: Final = b"type.googleapis.com/google.rpc.RetryInfo"
_DETAILS: Final = "grpc-status-details-bin"
# Numbers of https://grpc.io/docs/guides/status-codes/, by the status over HTTP.
_CODES: Final = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
_INTERNAL: Final = 13


class Refusal(NamedTuple):
    """Why a request was not stored.

    Attributes:
        status: As over HTTP.
        message: For people.
        retry_s: When to send again, in seconds; 0 for never.
    """

    status: int
    message: str
    retry_s: int


class Door:
    """Takes requests over gRPC while it is open.

    Args:
        keep: Stores a body, by `logs` or `traces`; returns when it is stored, or why it is not.
        refuse: Says what such an error means to the sender.
        bytes_max: Largest message.

    Attributes:
        address: Where it listens; empty while it does not.
        why: Why it does not, in words.
    """

    def __init__(
        self, keep: Mapping[str, Keep], refuse: Callable[[BaseException], Refusal], bytes_max: int
    ) -> None:
        self.address = ""
        self.why = "not started"
        self._keep = keep
        self._refuse = refuse
        self._bytes_max = bytes_max
        self._server: Any = None

    def open(self, text: str, *, must: bool) -> None:
        """Listen at an address, or remember why not.

        Args:
            text: `HOST:PORT`, or `off`.
            must: Whether somebody asked for the address.

        Raises:
            ConfigurationError: It is malformed; or a must, and taken or without grpcio.
        """
        if text.strip().lower() in {OFF, ""}:
            self.why = "server.otlp_grpc_address is off"
            return
        host, _, port = text.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            message = f"server.otlp_grpc_address must be HOST:PORT or off; got {text[:100]!r}"
            raise ConfigurationError(message)
        if find_spec("grpc") is None:
            self.why = "grpcio is not installed: pip install 'clerestory[grpc]'"
            if must:
                raise ConfigurationError(f"server.otlp_grpc_address: {self.why}")
            return
        self._listen(host, int(port), text, must=must)

    def _listen(self, host: str, port: int, text: str, *, must: bool) -> None:
        import grpc

        options = [
            # else two servers would share the port, and each have half
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", self._bytes_max),
        ]
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="clerestory-grpc")
        server = grpc.server(pool, options=options)
        for name, service in SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(self._answer(name))
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            server.add_generic_rpc_handlers((handler,))
        try:
            bound = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            pool.shutdown(wait=False)
            self.why = (
                f"cannot listen on {text} for OTLP over gRPC: the address is taken or not of this "
                "machine; choose another with server.otlp_grpc_address (port 0 takes any free "
                "one), or turn it off"
            )
            if must:
                raise ConfigurationError(self.why) from error
            return
        server.start()
        self._server = server
        self.address, self.why = f"{host}:{bound}", ""

    def _answer(self, name: str) -> Callable[[bytes, Any], bytes]:
        """Return the method `Export` of a service; an empty message says that all was taken."""
        import grpc

        by_number = {code.value[0]: code for code in grpc.StatusCode}

        def export(body: bytes, context: Any) -> bytes:
            error = self._keep[name](body) if body else None
            if error is None:
                return b""
            refusal = self._refuse(error)
            number = _CODES.get(refusal.status, _INTERNAL)
            if refusal.retry_s:
                context.set_trailing_metadata(((_DETAILS, details(number, refusal)),))
            context.abort(by_number[number], refusal.message[:1000])
            return b""

        return export

    def close(self) -> None:
        """Answer what was taken, and take no more."""
        if self._server is not None:
            self._server.stop(STOP_S).wait(STOP_S)
            self._server = None


def details(number: int, refusal: Refusal) -> bytes:
    """Return a google.rpc.Status with the RetryInfo that it carries."""
    retry = field(b"\x0a", b"\x08" + varint(refusal.retry_s))
    carried = field(b"\x0a", _RETRY_INFO) + field(b"\x12", retry)
    text = refusal.message[:1000].encode()
    return b"\x08" + varint(number) + field(b"\x12", text) + field(b"\x1a", carried)
