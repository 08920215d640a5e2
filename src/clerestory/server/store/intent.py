"""A note of a commit that the engine may store only in part.

    writer -> [intent] -> store

An insert is atomic for each part: one day, so many rows. A commit with rows of two days or for two
tables, with rejected lines or with very many rows makes several parts. Its spools and their first
numbers are noted before and struck out after; a note that is found at the start means that nobody
was answered, so its rows are taken out again and the senders bring them once more.

Invariant: while a note exists, no record from its numbers on has been acknowledged.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from clerestory.server.store.embedded import Connection

_SPOOL: Final = re.compile(r"[0-9a-zA-Z_-]+")


class Intent:
    """The note of the commit under way."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "commit.json"

    def note(self, firsts: Mapping[str, int]) -> None:
        """Note each spool's first number, on disk."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(dict(firsts)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self._sync_directory()

    def strike(self) -> None:
        """Forget the note: everything is stored, or nothing is."""
        self._path.unlink(missing_ok=True)
        self._sync_directory()

    def undo(self, connection: Connection) -> None:
        """Take out what a noted commit has stored, if there is a note.

        Raises:
            StoreError: The engine refused.
        """
        if not self._path.exists():
            return
        firsts = msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        parts = [
            f"(spool = '{spool}' AND seq >= {first})"
            for spool, first in firsts.items()
            if _SPOOL.fullmatch(spool)
        ]
        for table in ("logs", "rejected", "spans") if parts else ():
            connection.run(
                f"ALTER TABLE {table} DELETE WHERE {' OR '.join(parts)} SETTINGS mutations_sync = 1"
            )
        self.strike()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
