"""How the server itself is: status, counters, settings.

store, writer, jobs -> [admin] -> page, Prometheus
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clerestory.server.limits import ServerOptions
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.schema import DATABASE
from clerestory.settings.table import SETTINGS

_HELP: Final = {
    "records_stored_total": "Records stored since the server started.",
    "records_duplicate_total": "Lines that had been stored by an earlier batch.",
    "records_rejected_total": "Lines that are no records; kept raw.",
    "commits_total": "Inserts into the store.",
    "batches_failed_total": "Batches that could not be stored.",
    "commit_seconds_total": "Seconds spent storing.",
    "tails_open": "Live tails that are open.",
    "disk_free_bytes": "Free space where the data is.",
    "job_failures_total": "Turns of background jobs that failed.",
}


def store_figures(connection: Connection) -> dict[str, Any]:
    """Return what only the store knows: records, bytes, rejected lines, what gap records tell."""
    records, newest = connection.rows("SELECT count(), toUnixTimestamp64Milli(max(ts)) FROM logs")[
        0
    ]
    rejected = connection.rows("SELECT count() FROM rejected")[0][0]
    dropped = connection.rows(
        "SELECT sum(toUInt64OrZero(attrs['gap.count'])) FROM logs WHERE logger = 'clerestory'"
    )[0][0]
    stored = connection.rows(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {database:String}",
        {"database": DATABASE},
    )[0][0]
    return {
        "total_records": records,
        "rejected": rejected,
        "dropped": int(dropped or 0),
        "store_bytes": int(stored or 0),
        "newest_ms": newest if records else None,
    }


def figures(store: EmbeddedStore) -> dict[str, Any]:
    """Return the store's figures, with a borrowed connection."""
    found: dict[str, Any] = store.query(store_figures)
    return found


def setting_rows(options: ServerOptions) -> list[dict[str, Any]]:
    """Return the settings of the server as the page shows them."""
    origins = dict(options.origins)
    rows: list[dict[str, Any]] = []
    for setting in SETTINGS:
        name = setting.key.removeprefix("server.")
        if setting.section != "server" or not hasattr(options, name):
            continue
        value, default = getattr(options, name), setting.default_value(os.environ)
        shown = ", ".join(value) if isinstance(value, tuple) else value
        default, shown = (str(v) if isinstance(v, Path) else v for v in (default, shown))
        rows.append(
            {
                "key": setting.key,
                "value": shown,
                "default": default,
                # without origins the options were made by a program
                "origin": origins.get(name, "default" if shown == default else "argument"),
                "unit": setting.unit,
                "help": setting.help,
            }
        )
    return rows


def metrics_text(values: Mapping[str, float], refused: Mapping[str, int]) -> bytes:
    """Return counters in Prometheus' text format, version 0.0.4."""
    lines: list[str] = []
    for name, value in values.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines.append(f"# HELP clerestory_{name} {_HELP.get(name, name)}")
        lines.append(f"# TYPE clerestory_{name} {kind}")
        lines.append(f"clerestory_{name} {value}")
    lines.append("# HELP clerestory_requests_refused_total Requests with records not taken.")
    lines.append("# TYPE clerestory_requests_refused_total counter")
    lines += [
        f'clerestory_requests_refused_total{{reason="{reason}"}} {count}'
        for reason, count in sorted(refused.items())
    ]
    return "\n".join(lines).encode() + b"\n"
