"""The embedded engine: one data directory, one process, one connection a thread.

    ingest -> [store] -> query -> api

Invariant: nothing outside this file speaks to the engine's library. Values travel as parameters,
never inside the SQL text.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from clerestory.model.errors import ClerestoryError
from clerestory.server.store import decode, schema, spans

QUERY_MEMORY_BYTES_MAX: Final = 2_000_000_000
QUERY_S_MAX: Final = 20
CONNECTIONS_MAX: Final = 4

_COMMON: Final = (
    "SET async_insert = 0",
    "SET output_format_json_validate_utf8 = 1",
    "SET output_format_json_quote_64bit_integers = 0",
    "SET output_format_json_escape_forward_slashes = 0",
)
_QUERYING: Final = (
    f"SET max_execution_time = {QUERY_S_MAX}",
    f"SET max_memory_usage = {QUERY_MEMORY_BYTES_MAX}",
)
_INSERTING: Final = (
    "SET max_threads = 1",
    "SET max_block_size = 1000000",
    "SET max_insert_threads = 1",
    "SET max_partitions_per_insert_block = 0",
    "SET input_format_protobuf_oneof_presence = 1",
    "SET max_query_size = 10000000",
    # planning the long decode expressions costs more than decoding 5,000 records: 42 ms down to 31
    "SET compile_expressions = 0",
    "SET optimize_functions_to_subcolumns = 0",
    "SET enable_optimize_predicate_expression = 0",
    "SET query_plan_enable_optimizations = 0",
    "SET optimize_and_compare_chain = 0",
)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})

Parameter = str | int | float


class StoreError(ClerestoryError):
    """The engine refused a statement."""


class Connection:
    """One connection to the engine; used by one thread at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._decode_line = msgspec.json.Decoder(list[Any]).decode

    def run(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> bytes:
        """Run a statement and return its answer as it comes from the engine.

        Raises:
            StoreError: The engine refused it; the text is the engine's.
        """
        given = {name: _escaped(value) for name, value in (parameters or {}).items()}
        try:
            result = self._session.query(sql, "JSONCompactEachRow", params=given)
        except RuntimeError as error:
            raise StoreError(str(error)) from error
        except Exception as error:  # the library raises bare Exception for engine errors
            raise StoreError(str(error)) from error
        answer: bytes = result.bytes() or b""
        return answer

    def rows(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> list[list[Any]]:
        """Run a query and return its rows.

        Raises:
            StoreError: The engine refused it.
        """
        lines = self.run(sql, parameters).split(b"\n")
        return [self._decode_line(line) for line in lines if line]

    def close(self) -> None:
        """Close the connection."""
        with suppress(Exception):
            self._session.close()


def _escaped(value: Parameter) -> Parameter:
    if not isinstance(value, str):
        return value
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode()


class EmbeddedStore:
    """The store of one data directory.

    Attributes:
        path: Where the engine keeps its files.
    """

    def __init__(self, path: Path) -> None:
        """Open the store, creating the tables where they are missing.

        Raises:
            StoreError: The directory cannot be opened.
        """
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._proto = path / "otlp_logs.proto"
        self._proto.write_text(decode.PROTO)
        (path / spans.PROTO_FILE).write_text(spans.PROTO)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._permits = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._first = self._open(schema.STATEMENTS)  # closing the last one would stop the engine

    def _open(self, statements: tuple[str, ...]) -> Connection:
        from chdb.session import Session

        try:
            connection = Connection(Session(str(self.path)))  # type: ignore[no-untyped-call]
        except Exception as error:
            raise StoreError(f"the store in {self.path} cannot be opened: {error}") from error
        for statement in (*_COMMON, *statements):
            connection.run(statement)
        return connection

    def inserting(self) -> Connection:
        """Return a new connection for the one thread that inserts."""
        schema_file = f"SET format_schema = '{self._proto}:Request'"
        return self._open((f"USE {schema.DATABASE}", *_INSERTING, schema_file))

    @contextmanager
    def querying(self) -> Iterator[Connection]:
        """Lend a connection for queries; waits when all are in use."""
        with self._permits:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._open((f"USE {schema.DATABASE}", *_QUERYING))
            try:
                yield connection
            finally:
                with self._lock:
                    self._idle.append(connection)

    def query(self, work: Callable[[Connection], Any]) -> Any:
        """Run `work` with a borrowed connection and return what it returns."""
        with self.querying() as connection:
            return work(connection)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        self._first.close()
