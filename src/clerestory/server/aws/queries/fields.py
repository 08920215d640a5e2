"""Which fields the records of some groups have, and how many of them have each.

    groups, store -> [fields] -> desk

Invariant: a share is of the newest records of the time that is asked for, at most `SAMPLE_ROWS`.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Sequence
from typing import Any, Final

from clerestory.server.aws.groups import scope_of
from clerestory.server.store.embedded import Connection

SAMPLE_ROWS: Final = 5_000
FIELDS_MAX: Final = 500

# what every record has
_ALWAYS: Final = ("@timestamp", "@message", "@log", "@logStream", "@ingestionTime", "@ptr")
_OWN: Final = ("level", "logger", "message", "service", "trace_id", "span_id")
_WINDOW: Final = (
    "ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Milli({to_ms:Int64} + 1, 'UTC')"
)


def fields_of(
    connection: Connection, groups: Sequence[str] | None, *, start_ms: int, end_ms: int
) -> list[dict[str, Any]]:
    """Return the fields by name with the share of records that have them, most common first."""
    from clerestory.server.insights.discovery import field, names

    condition, parameters = scope_of(groups) if groups is not None else ("1", {})
    found = {name: field(name) for name in names()}
    own = [f"if(log_group = '', {name} != '', JSONHas(raw, '{name}'))" for name in _OWN]
    sent = [f"log_group != '' AND isNotNull({sql})" for sql in found.values()]
    counts = ", ".join(f"countIf({one})" for one in (*own, *sent))
    sample = (
        f"SELECT * FROM logs WHERE {_WINDOW} AND {condition} ORDER BY ts DESC LIMIT {SAMPLE_ROWS}"
    )
    asked = {**parameters, "from_ms": start_ms, "to_ms": end_ms}
    total, *counted = connection.rows(f"SELECT count(), {counts} FROM ({sample})", asked)[0]
    rows = connection.rows(
        "SELECT arrayJoin(arrayDistinct(mapKeys(attrs))) AS name, count() AS used "
        f"FROM (SELECT attrs FROM ({sample})) GROUP BY name ORDER BY used DESC, name "
        f"LIMIT {FIELDS_MAX}",
        asked,
    )
    if not total:
        return []
    shares = dict.fromkeys(_ALWAYS, total) | {str(name): int(used) for name, used in rows}
    shares |= {name: used for name, used in zip((*_OWN, *found), counted, strict=True) if int(used)}
    order = sorted(shares, key=lambda name: -shares[name])
    return [{"name": name, "share": round(shares[name] / total, 4)} for name in order]
