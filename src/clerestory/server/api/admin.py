"""How the server itself is: what it stores, how it is set.

store, settings -> [admin] -> page
"""

import os
from pathlib import Path
from typing import Any

from clerestory.server.limits import ServerOptions
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.schema import DATABASE
from clerestory.settings.table import SETTINGS


def store_figures(connection: Connection) -> dict[str, Any]:
    """Return what only the store knows: records, spans, bytes, rejected lines, told gaps."""
    records, newest = connection.rows("SELECT count(), toUnixTimestamp64Milli(max(ts)) FROM logs")[
        0
    ]
    spans = connection.rows("SELECT count() FROM spans")[0][0]
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
        "total_spans": spans,
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
