"""The settings of the server.

[server] -> table -> `clerestory up`
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clerestory.settings.setting import Setting

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB


def _data_directory(environ: Mapping[str, str]) -> Path:
    data = environ.get("XDG_DATA_HOME")
    home = Path(environ.get("HOME") or "~").expanduser()
    return (Path(data) if data else home / ".local/share") / "clerestory"


SERVER: Final = (
    Setting(
        key="server.host",
        default="127.0.0.1",
        kind="text",
        help="Address that the server listens on.",
    ),
    Setting(
        key="server.port",
        default=4318,
        kind="integer",
        low=0,
        high=65_535,
        help="Port that the server listens on; 0 takes any free one.",
    ),
    Setting(
        key="server.xray_address",
        default="127.0.0.1:2000",
        kind="text",
        help="Where the server plays the X-Ray daemon, UDP and TCP, as `HOST:PORT`; `off`: "
        "nowhere. If the default is taken, the server warns and goes on without it.",
    ),
    Setting(
        key="server.otlp_grpc_address",
        default="127.0.0.1:4317",
        kind="text",
        help="Where the server takes OTLP over gRPC, as `HOST:PORT`; `off`: nowhere. Needs the "
        "package grpcio. If the default is taken, the server warns and goes on without it.",
    ),
    Setting(
        key="server.data_dir",
        default=_data_directory,
        default_words="`$XDG_DATA_HOME/clerestory`, else `~/.local/share/clerestory`",
        kind="path",
        help="Directory of the store. One server at a time.",
    ),
    Setting(
        key="server.retention_days",
        default=30,
        kind="integer",
        unit="days",
        low=0,
        help="Records older than this are deleted; 0 keeps all.",
    ),
    Setting(
        key="server.attribute_columns",
        default=16,
        kind="integer",
        low=0,
        high=200,
        help="So many attributes that slow queries read get a column of their own; 0 for none.",
    ),
    Setting(
        key="server.body_bytes_max",
        default=16 * MIB,
        kind="bytes",
        unit="bytes",
        low=1024,
        help="Largest request body as it arrives.",
        example="16MiB",
    ),
    Setting(
        key="server.inflated_bytes_max",
        default=64 * MIB,
        kind="bytes",
        unit="bytes",
        low=1024,
        help="Largest request body after decompression.",
        example="64MiB",
    ),
    Setting(
        key="server.line_bytes_max",
        default=MIB,
        kind="bytes",
        unit="bytes",
        low=1024,
        help="Longest record.",
        example="1MiB",
    ),
    Setting(
        key="server.fields_max",
        default=512,
        kind="integer",
        low=1,
        help="Most fields of one record.",
    ),
    Setting(
        key="server.depth_max",
        default=64,
        kind="integer",
        low=1,
        help="Deepest nesting of one record.",
    ),
    Setting(
        key="server.disk_free_bytes_min",
        default=GIB,
        kind="bytes",
        unit="bytes",
        low=0,
        help="The server takes no more records when the disk has less than this free.",
        example="1GiB",
    ),
    Setting(
        key="server.hosts_allowed",
        default="",
        kind="text",
        help="Host names, separated by commas, under which the server may be asked from elsewhere.",
        example="logs.example.org",
    ),
)
