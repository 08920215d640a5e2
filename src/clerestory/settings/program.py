"""The settings of a program: what it records and how, and where records wait and go.

[program] -> table
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clerestory.settings.setting import Setting

KIB: Final = 1024
MIB: Final = 1024 * KIB
MB: Final = 1_000_000


def _program_name(environ: Mapping[str, str]) -> str:
    named = environ.get("OTEL_SERVICE_NAME", "").strip()
    if named:
        return named
    name = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119 argv need not be a path
    name = name.removesuffix(".py")
    return name if name not in {"", "-c", "-m", "__main__"} else "python"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "~").expanduser()


def _spool_directory(environ: Mapping[str, str]) -> Path:
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else _home(environ) / ".local/state") / "clerestory/spool"


GENERAL: Final = (
    Setting(
        key="service",
        default=_program_name,
        default_words="`OTEL_SERVICE_NAME`, else the name of the program's file without .py, "
        "else `python`",
        kind="text",
        help="Name of the program, shown beside each of its records.",
        example="shop",
    ),
    Setting(
        key="service_version",
        default="",
        kind="text",
        help="Version of the program.",
        example="1.4.2",
    ),
    Setting(
        key="environment",
        default="",
        kind="text",
        help="Where the program runs.",
        example="production",
    ),
    Setting(
        key="level",
        default="INFO",
        kind="level",
        help="Records below this level are not made. A name or a number.",
    ),
    Setting(
        key="levels",
        default={},
        kind="map",
        items="level",
        help="Levels of single loggers and of those below them.",
        example="sqlalchemy=WARNING,shop.cart=DEBUG",
    ),
    Setting(
        key="destinations",
        default=[],
        kind="list",
        help="Where records go: types such as console, server or file:PATH, addresses such as "
        "cloudwatch://eu-west-1/shop, or mappings with a `type` and options. Empty: console and "
        "server.",
        example="console,file:logs/shop.jsonl",
    ),
    Setting(
        key="endpoint",
        default="http://127.0.0.1:4318",
        kind="text",
        help="Address of the server that programs send to and commands ask.",
    ),
    Setting(
        key="token",
        default="",
        kind="text",
        help="Token sent to the server as `Authorization: Bearer`.",
    ),
    Setting(
        key="capture_logging",
        default=True,
        kind="boolean",
        help="Capture what the program logs through the standard library's logging.",
    ),
    Setting(
        key="logging_config",
        default="",
        kind="path_or_map",
        help="A logging.config dictionary, or a YAML or JSON file that holds one.",
        example="logging.yaml",
    ),
    Setting(
        key="call_site",
        default=True,
        kind="boolean",
        help="Record module, function and line of each call.",
    ),
    Setting(
        key="shutdown_timeout",
        default=2.0,
        kind="seconds",
        unit="s",
        low=0,
        help="How long the program waits at exit for delivery; the spool keeps the rest.",
    ),
)

PROCESS: Final = (
    Setting(
        key="redact.enabled",
        default=True,
        kind="boolean",
        help="Mask secrets in fields and messages.",
    ),
    Setting(
        key="redact.keys",
        default=[],
        kind="list",
        items="text",
        help="Further patterns of field names whose values are masked.",
        example="iban,tax_number",
    ),
    Setting(
        key="redact.keys_allowed",
        default=[],
        kind="list",
        items="text",
        help="Field names that are never masked, though a pattern matches.",
        example="token_count",
    ),
    Setting(
        key="redact.values",
        default=True,
        kind="boolean",
        help="Mask tokens, keys, card numbers and passwords in URLs wherever they stand.",
    ),
    Setting(
        key="sample.rate",
        default=1.0,
        kind="number",
        low=0,
        high=1,
        help="Part of the records below WARNING that is kept.",
    ),
    Setting(
        key="sample.levels",
        default={},
        kind="map",
        items="number",
        low=0,
        high=1,
        help="Part kept for single levels below WARNING.",
        example="DEBUG=0.1,INFO=0.5",
    ),
    Setting(
        key="rate_limit.per_second",
        default=0.0,
        kind="number",
        unit="records/s",
        low=0,
        help="Most records a second of one logger and level below WARNING; 0 is no limit.",
    ),
    Setting(
        key="repeats.fold",
        default=False,
        kind="boolean",
        help="Fold equal records into one with a count.",
    ),
    Setting(
        key="repeats.window",
        default=5.0,
        kind="seconds",
        unit="s",
        low=0,
        help="Equal records within this time are folded.",
    ),
    Setting(
        key="exceptions.locals",
        default=False,
        kind="boolean",
        help="Record the local variables of each frame of an exception, masked and bounded.",
    ),
    Setting(
        key="exceptions.frames_max",
        default=50,
        kind="integer",
        low=1,
        help="Most frames of one exception; the middle is left out beyond it.",
    ),
    Setting(
        key="limits.value_chars",
        default=32_768,
        kind="integer",
        unit="characters",
        low=16,
        help="Longest text of one value; the rest is cut and marked.",
    ),
    Setting(
        key="limits.line_bytes",
        default=1_000_000,
        kind="bytes",
        unit="bytes",
        low=1024,
        help="Longest encoded record; larger ones are shortened and marked.",
    ),
    Setting(
        key="limits.depth",
        default=32,
        kind="integer",
        low=1,
        help="Deepest nesting of one value; what is below is cut and marked.",
    ),
    Setting(
        key="limits.items",
        default=1000,
        kind="integer",
        low=1,
        help="Most items of one list or mapping; the rest is cut and marked.",
    ),
)

DELIVERY: Final = (
    Setting(
        key="delivery.by",
        default="program",
        kind="text",
        choices=("program", "agent"),
        help="Who delivers what is in the spool: the program itself, or `clerestory agent`.",
    ),
    Setting(
        key="spool.mode",
        default="process",
        kind="text",
        choices=("process", "memory"),
        help="`process`: records survive the kill of the program. `memory`: they do not.",
    ),
    Setting(
        key="spool.directory",
        default=_spool_directory,
        default_words="`$XDG_STATE_HOME/clerestory/spool`, else `~/.local/state/clerestory/spool`",
        kind="path",
        help="Where records wait until they are delivered.",
    ),
    Setting(
        key="spool.bytes_max",
        default=512 * MB,
        kind="bytes",
        unit="bytes",
        low=MIB,
        help="Most disk space of this program's spool; beyond it the oldest go, counted.",
        example="512MB",
    ),
    Setting(
        key="spool.free_bytes_min",
        default=1000 * MB,
        kind="bytes",
        unit="bytes",
        low=0,
        help="Disk space that the spool leaves free.",
        example="1GB",
    ),
    Setting(
        key="spool.segment_bytes",
        default=4 * MIB,
        kind="bytes",
        unit="bytes",
        low=64 * KIB,
        help="Size of one file of the spool.",
        example="4MiB",
    ),
    Setting(
        key="spool.memory_bytes_max",
        default=8 * MIB,
        kind="bytes",
        unit="bytes",
        low=64 * KIB,
        help="Most memory for waiting records in mode `memory`.",
        example="8MiB",
    ),
    Setting(
        key="spool.sync_interval",
        default=1.0,
        kind="seconds",
        unit="s",
        low=0,
        help="How often the spool is forced to the disk: what a power loss may cost.",
    ),
    Setting(
        key="spool.durability",
        default="interval",
        kind="text",
        choices=("page_cache", "interval", "record"),
        help="When records are forced to the disk. `page_cache`: by the system. `interval`: each "
        "`spool.sync_interval`. `record`: before the call returns, for an audit trail.",
    ),
    Setting(
        key="spool.adopt_interval",
        default=3.0,
        kind="seconds",
        unit="s",
        low=0.1,
        help="How often spools of dead processes are looked for.",
    ),
    Setting(
        key="delivery.poll_interval",
        default=0.05,
        kind="seconds",
        unit="s",
        low=0.001,
        help="How often the worker looks for new records.",
        example="50ms",
    ),
    Setting(
        key="delivery.batch_bytes",
        default=MIB,
        kind="bytes",
        unit="bytes",
        low=1024,
        help="Largest batch before compression.",
        example="1MiB",
    ),
    Setting(
        key="delivery.timeout",
        default=10.0,
        kind="seconds",
        unit="s",
        low=0.1,
        help="How long one request may take.",
    ),
    Setting(
        key="delivery.connect_timeout",
        default=3.0,
        kind="seconds",
        unit="s",
        low=0.1,
        help="How long connecting may take.",
    ),
    Setting(
        key="delivery.wait_max",
        default=5.0,
        kind="seconds",
        unit="s",
        low=0.1,
        help="Longest wait between two attempts to reach the server.",
    ),
    Setting(
        key="delivery.hold_interval",
        default=60.0,
        kind="seconds",
        unit="s",
        low=0.1,
        help="How often a destination that refuses the key or lacks a permission is tried.",
    ),
    Setting(
        key="delivery.breaker_failures",
        default=5,
        kind="integer",
        low=0,
        help="After so many failures in a row one record at a time is tried, until one is taken; "
        "0 is never.",
    ),
)

OUTPUT: Final = (
    Setting(
        key="console.format",
        default="auto",
        kind="text",
        choices=("auto", "text", "json"),
        help="`auto`: text on a terminal, JSON lines elsewhere.",
    ),
    Setting(
        key="console.stream",
        default="stderr",
        kind="text",
        choices=("stderr", "stdout"),
        help="Where the console writes.",
    ),
    Setting(
        key="console.colour",
        default="auto",
        kind="text",
        choices=("auto", "always", "never"),
        help="`auto`: colours on a terminal unless NO_COLOR is set.",
    ),
    Setting(
        key="file.path",
        default="",
        kind="path",
        help="File of the destination `file`.",
        example="logs/shop.jsonl",
    ),
    Setting(
        key="file.bytes_max",
        default=10 * MB,
        kind="bytes",
        unit="bytes",
        low=0,
        help="The file is rotated when it would grow beyond this; 0 is never.",
        example="10MB",
    ),
    Setting(
        key="file.rotate_every",
        default="",
        kind="text",
        choices=("", "hourly", "daily", "weekly", "monthly"),
        help="Rotate by time as well.",
        example="daily",
    ),
    Setting(
        key="file.keep_count",
        default=5,
        kind="integer",
        low=0,
        help="Rotated files that are kept.",
    ),
    Setting(
        key="file.keep_days",
        default=0,
        kind="integer",
        unit="days",
        low=0,
        help="Rotated files older than this are deleted; 0 is never.",
    ),
    Setting(
        key="file.policy",
        default="",
        kind="text",
        choices=("", "main", "audit"),
        help="Ready policy: `main` (rotated daily, kept 90 days) or `audit` (rotated daily, kept 7 "
        "years); the other options change single points of it.",
        example="audit",
    ),
    Setting(
        key="file.keep_bytes",
        default=0,
        kind="bytes",
        unit="bytes",
        low=0,
        help="Rotated files together hold at most this; the oldest go first; 0 is no limit.",
        example="1GB",
    ),
    Setting(
        key="file.compress",
        default=False,
        kind="boolean",
        help="Compress rotated files with gzip.",
    ),
)
