"""Groups, streams, metric filters and saved queries: in memory to read, in SQLite to stay.

    operations -> [catalog] -> metadata.sqlite

Invariant: a change is on disk before it can be read. While `arriving` is held nothing is deleted,
so an event that is queued under it belongs to a group and a stream that exist.
"""

import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from clerestory.server.aws.catalog import tables
from clerestory.server.aws.errors import GROUP_MISSING, STREAM_MISSING, exists, missing


@dataclass(slots=True, kw_only=True)
class Filter:
    """A metric filter, and what it has counted.

    Attributes:
        matched: Events that matched since it was made.
        points: Values that they gave.
        total: Sum of these values.
    """

    name: str
    created: int
    pattern: str
    transformation: dict[str, Any]
    matched: int = 0
    points: int = 0
    total: float = 0.0


@dataclass(slots=True, kw_only=True)
class Group:
    """A log group."""

    name: str
    created: int
    retention_days: int | None = None
    kind: str = "STANDARD"
    kms_key: str | None = None
    protected: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    filters: dict[str, Filter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A saved query."""

    id: str
    modified: int
    token: str | None
    content: dict[str, Any]


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Catalog:
    """All metadata of one data directory.

    Attributes:
        groups: The groups by name.
        definitions: The saved queries by id.
        arriving: Held while events are checked and queued, and while a name goes away.
    """

    def __init__(self, directory: Path) -> None:
        self._engine = tables.open_engine(directory)
        self._lock = threading.RLock()
        self.arriving = threading.Lock()
        self.groups: dict[str, Group] = {}
        self.definitions: dict[str, Definition] = {}
        with self._engine.connect() as connection:
            self.key = _key(connection)
            self._load(connection)
            connection.commit()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _load(self, connection: Connection) -> None:
        for row in connection.execute(select(tables.GROUPS)).mappings():
            self.groups[row["name"]] = Group(**row)
        for row in connection.execute(select(tables.STREAMS)).mappings():
            self.groups[row["group_name"]].streams[row["name"]] = row["created"]
        for row in connection.execute(select(tables.FILTERS)).mappings():
            content = {name: value for name, value in row.items() if name != "group_name"}
            self.groups[row["group_name"]].filters[row["name"]] = Filter(**content)
        for row in connection.execute(select(tables.DEFINITIONS)).mappings():
            self.definitions[row["id"]] = Definition(**row)

    def group(self, name: str) -> Group:
        """Return a group.

        Raises:
            AwsError: There is none.
        """
        found = self.groups.get(name)
        if found is None:
            raise missing(GROUP_MISSING)
        return found

    def check(self, group: str, stream: str) -> Group:
        """Return the group of a stream.

        Raises:
            AwsError: The group or the stream does not exist.
        """
        found = self.group(group)
        if stream not in found.streams:
            raise missing(STREAM_MISSING)
        return found

    def add_group(self, group: Group) -> None:
        """Add a group.

        Raises:
            AwsError: There is one of this name.
        """
        with self._lock, self._engine.connect() as connection:
            if group.name in self.groups:
                raise exists("The specified log group already exists")
            connection.execute(insert(tables.GROUPS).values(_group_row(group)))
            connection.commit()
            self.groups[group.name] = group

    def change_group(self, name: str, **changes: Any) -> None:
        """Change members of a group.

        Raises:
            AwsError: There is no such group.
        """
        with self._lock, self._engine.connect() as connection:
            group = self.group(name)
            statement = update(tables.GROUPS).where(tables.GROUPS.c.name == name)
            connection.execute(statement.values(**changes))
            connection.commit()
            for member, value in changes.items():
                setattr(group, member, value)

    def add_stream(self, group: str, name: str) -> None:
        """Add a stream.

        Raises:
            AwsError: The group does not exist, or has one of this name.
        """
        with self._lock, self._engine.connect() as connection:
            streams = self.group(group).streams
            if name in streams:
                raise exists("The specified log stream already exists")
            created = now_ms()
            row = {"group_name": group, "name": name, "created": created}
            connection.execute(insert(tables.STREAMS).values(row))
            connection.commit()
            streams[name] = created

    def remove_group(self, name: str) -> None:
        """Remove a group with all that it holds, and note that its events are to go.

        Raises:
            AwsError: There is no such group.
        """
        with self._lock, self._engine.connect() as connection:
            self.group(name)
            for table in (tables.STREAMS, tables.FILTERS):
                connection.execute(delete(table).where(table.c.group_name == name))
            connection.execute(delete(tables.GROUPS).where(tables.GROUPS.c.name == name))
            _note(connection, name, "")
            connection.commit()
            with self.arriving:
                del self.groups[name]

    def remove_stream(self, group: str, name: str) -> None:
        """Remove a stream, and note that its events are to go.

        Raises:
            AwsError: There is no such stream.
        """
        with self._lock, self._engine.connect() as connection:
            streams = self.check(group, name).streams
            table = tables.STREAMS
            connection.execute(
                delete(table).where(table.c.group_name == group, table.c.name == name)
            )
            _note(connection, group, name)
            connection.commit()
            with self.arriving:
                del streams[name]

    def deletions(self) -> list[tuple[str, str]]:
        """Return the groups and streams whose events are to go; an empty stream means all."""
        with self._lock, self._engine.connect() as connection:
            rows = connection.execute(select(tables.DELETIONS)).all()
        return [(str(row[0]), str(row[1])) for row in rows]

    def strike(self, group: str, stream: str) -> None:
        """Forget a deletion: its events are gone."""
        table = tables.DELETIONS
        with self._lock, self._engine.connect() as connection:
            where = (table.c.group_name == group, table.c.stream_name == stream)
            connection.execute(delete(table).where(*where))
            connection.commit()

    def put_filter(self, group: str, made: Filter) -> None:
        """Add a metric filter, or put one of its name in its place.

        Raises:
            AwsError: There is no such group.
        """
        with self._lock, self._engine.connect() as connection:
            filters = self.group(group).filters
            before = filters.get(made.name)
            if before is not None:
                made = replace(made, created=before.created)
                _remove_filter(connection, group, made.name)
            connection.execute(insert(tables.FILTERS).values(_filter_row(group, made)))
            connection.commit()
            filters[made.name] = made

    def remove_filter(self, group: str, name: str) -> None:
        """Remove a metric filter.

        Raises:
            AwsError: There is no such group or filter.
        """
        with self._lock, self._engine.connect() as connection:
            filters = self.group(group).filters
            if name not in filters:
                raise missing("The specified metric filter does not exist.")
            _remove_filter(connection, group, name)
            connection.commit()
            del filters[name]

    def count(self, counted: Iterable[tuple[str, Filter]]) -> None:
        """Keep what filters have counted."""
        table = tables.FILTERS
        with self._lock, self._engine.connect() as connection:
            for group, one in counted:
                where = (table.c.group_name == group, table.c.name == one.name)
                values = {"matched": one.matched, "points": one.points, "total": one.total}
                connection.execute(update(table).where(*where).values(values))
            connection.commit()

    def put_definition(self, definition: Definition) -> None:
        """Add a saved query, or put one of its id in its place."""
        table = tables.DEFINITIONS
        with self._lock, self._engine.connect() as connection:
            connection.execute(delete(table).where(table.c.id == definition.id))
            connection.execute(
                insert(table).values(
                    id=definition.id,
                    modified=definition.modified,
                    token=definition.token,
                    content=definition.content,
                )
            )
            connection.commit()
            self.definitions[definition.id] = definition

    def remove_definition(self, identity: str) -> bool:
        """Remove a saved query; return whether there was one."""
        with self._lock, self._engine.connect() as connection:
            table = tables.DEFINITIONS
            connection.execute(delete(table).where(table.c.id == identity))
            connection.commit()
            return self.definitions.pop(identity, None) is not None


def _key(connection: Connection) -> bytes:
    """Return the key that tokens are signed with; made once for a directory."""
    found = connection.execute(select(tables.KEYS.c.value)).scalar()
    if found is not None:
        return bytes(found)
    key = secrets.token_bytes(32)
    connection.execute(insert(tables.KEYS).values(name="tokens", value=key))
    return key


def _note(connection: Connection, group: str, stream: str) -> None:
    table: Table = tables.DELETIONS
    where = (table.c.group_name == group, table.c.stream_name == stream)
    connection.execute(delete(table).where(*where))
    connection.execute(insert(table).values(group_name=group, stream_name=stream))


def _remove_filter(connection: Connection, group: str, name: str) -> None:
    table = tables.FILTERS
    where = (table.c.group_name == group, table.c.name == name)
    connection.execute(delete(table).where(*where))


def _group_row(group: Group) -> dict[str, Any]:
    return {name: getattr(group, name) for name in tables.GROUPS.c.keys()}  # noqa: SIM118


def _filter_row(group: str, made: Filter) -> dict[str, Any]:
    row = {name: getattr(made, name) for name in tables.FILTERS.c.keys() if name != "group_name"}  # noqa: SIM118
    return row | {"group_name": group}
