"""Rows as a Parquet file, written by the engine.

    desk -> [parquet] -> engine -> file

Invariant: the file has the columns of the result under their names, and every value of them.
"""

# ruff: noqa: S608 - names are quoted here; values travel in a file

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from clerestory.server.store.embedded import Connection

_TYPES: Final = {"time": "DateTime64(3, \\'UTC\\')", "number": "Float64"}


def parquet_of(
    connection: Connection,
    directory: Path,
    columns: Sequence[tuple[str, str]],
    lines: Iterable[bytes],
) -> bytes:
    """Return a Parquet file.

    Args:
        connection: To the engine.
        directory: Where a temporary file may be made.
        columns: Name and type (`time`, `number`, or anything else: text) of each.
        lines: Rows: each a JSON list.
    """
    structure = ", ".join(
        f"c{index} Nullable({_TYPES.get(kind, 'String')})"
        for index, (_name, kind) in enumerate(columns)
    )
    named = ", ".join(f"c{index} AS {_quoted(name)}" for index, (name, _kind) in enumerate(columns))
    with tempfile.NamedTemporaryFile(dir=directory, prefix="export-") as file:
        file.writelines(line + b"\n" for line in lines)
        file.flush()
        return connection.run(
            f"SELECT {named} FROM file('{file.name}', 'JSONCompactEachRow', '{structure}') "
            "SETTINGS date_time_input_format = 'best_effort' FORMAT Parquet"
        )


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
