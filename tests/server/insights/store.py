"""An embedded store with records of both kinds, filled the way the server fills it."""

import json
import struct
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from clerestory.server.store import decode, schema
from clerestory.server.store.embedded import Connection, EmbeddedStore

BASE_MS = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _text(value: str) -> bytes:
    raw = value.encode()
    return _varint(len(raw)) + raw


class Filled:
    """A store whose `logs` can be filled and emptied."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="insights-")
        self.path = Path(self._folder.name)
        self.store = EmbeddedStore(self.path / "store")
        self._inserting = self.store.inserting()
        self._spools = 0

    def add(self, lines: Iterable[Mapping[str, Any]], resource: Mapping[str, Any]) -> str:
        """Store lines of one sender as the server does; return the spool's name."""
        self._spools += 1
        spool = f"spool{self._spools:04}"
        body = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        file = self.path / "batch.bin"
        file.write_bytes(
            _text(json.dumps(resource)) + _text(spool) + struct.pack("<Q", 1) + _text(body)
        )
        select = decode.records_select(str(file), line_bytes_max=1 << 20, fields_max=512)
        names = ", ".join(name for name in schema.FRESH_COLUMNS if name in schema.LOG_COLUMNS)
        self._inserting.run(
            f"INSERT INTO logs ({names}) SELECT {names} FROM ({select}) WHERE reason = ''",
            {"arrival": BASE_MS * 1_000_000},
        )
        return spool

    def own(self, records: Iterable[Mapping[str, Any]], service: str = "shop") -> str:
        """Store records of our own; `at` is milliseconds after BASE_MS."""
        lines = [_line(record) for record in records]
        return self.add(lines, {"service.name": service, "host.name": "host-1"})

    def sent(
        self, events: Iterable[tuple[int, str]], group: str = "/app", stream: str = "s-1"
    ) -> str:
        """Store events of PutLogEvents: milliseconds after BASE_MS, and the text."""
        self._spools += 1
        spool = f"spool{self._spools:04}"
        found = list(events)
        parts = (
            spool,
            1,
            group,
            stream,
            [BASE_MS + at for at, _text in found],
            [text for _at, text in found],
        )
        file = self.path / "events.bin"
        file.write_bytes(b"".join(msgspec.msgpack.encode(part) for part in parts))
        names = ", ".join(name for name in schema.FRESH_EVENT_COLUMNS if name in schema.LOG_COLUMNS)
        select = decode.events_select(str(file), fields_max=512)
        self._inserting.run(
            f"INSERT INTO logs ({names}) SELECT {names} FROM ({select})",
            {"arrival": BASE_MS * 1_000_000},
        )
        return spool

    def clear(self) -> None:
        """Empty the table."""
        self._inserting.run("TRUNCATE TABLE logs")

    def querying(self) -> Connection:
        """Return a connection for queries."""
        return self.store._open((f"USE {schema.DATABASE}",))

    def close(self) -> None:
        """Close the store and remove it."""
        self._inserting.close()
        self.store.close()
        self._folder.cleanup()


def _line(record: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in record.items() if name != "at"}
    ns = int((BASE_MS + record.get("at", 0)) * 1_000_000)
    return {"timestamp": ns, "level": "INFO", "logger": "app", "message": "", **rest}
