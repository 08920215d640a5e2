"""What the server was told to be: address, directory and every limit.

settings -> [limits] -> run, app, ingest, store
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server runs.

    Attributes:
        data_dir: Where everything is kept; one server a directory.
        host: Address to listen on.
        port: Port to listen on; 0 takes any free one.
        retention_days: Whole days older than this are deleted; 0 keeps all.
        body_bytes_max: Largest request body as sent.
        inflated_bytes_max: Largest request body after decompression.
        line_bytes_max: Longest line of a record.
        fields_max: Most members of a record.
        depth_max: Deepest nesting of a value that is decoded in Python.
        disk_free_bytes_min: With less free space than this, records are refused with 503.
        hosts_allowed: Further names that a request's Host header may have.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4318
    retention_days: int = 30
    body_bytes_max: int = 16 * 1024 * 1024
    inflated_bytes_max: int = 64 * 1024 * 1024
    line_bytes_max: int = 1024 * 1024
    fields_max: int = 512
    depth_max: int = 64
    disk_free_bytes_min: int = 1024 * 1024 * 1024
    hosts_allowed: tuple[str, ...] = ()
