"""What the server was told to be: address, directory and every limit.

settings -> [limits] -> run, app, ingest, store
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from clerestory.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server runs.

    Attributes:
        data_dir: Where everything is kept; one server a directory.
        host: Address to listen on.
        port: Port to listen on; 0 takes any free one.
        xray_address: Where X-Ray's daemon is played, as HOST:PORT; `off`: nowhere.
        otlp_grpc_address: Where OTLP is taken over gRPC, as HOST:PORT; `off`: nowhere.
        retention_days: Whole days older than this are deleted; 0 keeps all.
        attribute_columns: So many attributes may have a column of their own.
        body_bytes_max: Largest request body as sent.
        inflated_bytes_max: Largest request body after decompression.
        line_bytes_max: Longest line of a record.
        fields_max: Most members of a record.
        depth_max: Deepest nesting of a value that is decoded in Python.
        disk_free_bytes_min: With less free space than this, records are refused with 503.
        hosts_allowed: Further names that a request's Host header may have.
        origins: Where each option comes from, by name, where somebody said it.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4318
    xray_address: str = "127.0.0.1:2000"
    otlp_grpc_address: str = "127.0.0.1:4317"
    retention_days: int = 30
    attribute_columns: int = 16
    body_bytes_max: int = 16 * 1024 * 1024
    inflated_bytes_max: int = 64 * 1024 * 1024
    line_bytes_max: int = 1024 * 1024
    fields_max: int = 512
    depth_max: int = 64
    disk_free_bytes_min: int = 1024 * 1024 * 1024
    hosts_allowed: tuple[str, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()


def given_arguments(given: Mapping[str, object]) -> dict[str, object]:
    """Return arguments of the command line under the keys of their settings."""
    return {f"server.{name}": value for name, value in given.items() if value is not None}


def options_from(settings: Settings) -> ServerOptions:
    """Return the options that the settings in force name."""
    names = [one.name for one in fields(ServerOptions) if one.name != "origins"]
    values: dict[str, Any] = {name: settings[f"server.{name}"] for name in names}
    hosts = [part.strip().lower() for part in str(values["hosts_allowed"]).split(",")]
    values["hosts_allowed"] = tuple(host for host in hosts if host)
    values["data_dir"] = Path(values["data_dir"]).expanduser()
    origins = tuple((name, settings.origin(f"server.{name}")) for name in names)
    return ServerOptions(**values, origins=origins)
