"""Forget whole days.

    jobs -> [retention] -> store

Invariant: only partitions whose last day has passed the limit are dropped; nothing is rewritten.
"""

import re
from datetime import UTC, datetime
from typing import Final

from clerestory.server.store.embedded import Connection
from clerestory.server.store.schema import DATABASE

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TABLES: Final = ("logs", "rejected", "spans")


def drop_days_before(connection: Connection, epoch_s: int) -> int:
    """Drop every day that ended before an instant; return how many were dropped."""
    limit = datetime.fromtimestamp(epoch_s, UTC).date().isoformat()
    dropped = 0
    for table in TABLES:
        found = connection.rows(
            "SELECT DISTINCT partition FROM system.parts WHERE active "
            "AND database = {database:String} AND table = {table:String} ORDER BY partition",
            {"database": DATABASE, "table": table},
        )
        for (partition,) in found:
            day = str(partition).strip("'")
            if _DAY.fullmatch(day) and day < limit:
                connection.run(f"ALTER TABLE {table} DROP PARTITION '{day}'")
                dropped += 1
    return dropped
