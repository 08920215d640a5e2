"""Groups, sampling rules and single values: in memory to read, in SQLite to stay.

    operations -> [catalog] -> metadata.sqlite

Invariant: a change is on disk before it can be read. There is always a rule `Default`.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, update

from clerestory.server.xray.catalog import tables
from clerestory.server.xray.errors import invalid, too_many_rules
from clerestory.server.xray.names import new_identity

DEFAULT: Final = "Default"
RULES_MAX: Final = 25
_MODIFIED: Final = "rules.modified"
_ANY: Final = ("ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath", "ResourceARN")
_DEFAULT_CONTENT: Final[dict[str, Any]] = {
    "RuleName": DEFAULT, "Priority": 10_000, "FixedRate": 0.05, "ReservoirSize": 1,
    **dict.fromkeys(_ANY, "*"), "Version": 1, "Attributes": {},
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Group:
    """A group: traces that a filter expression selects."""

    name: str
    identity: str
    expression: str | None = None
    insights: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Rule:
    """A sampling rule, and what samplers reported of it.

    Attributes:
        content: Its members, as the API names them.
        requests: Requests that it matched.
        borrowed: How many were sampled before a quota was known.
        sampled: How many were sampled.
        reported: When the last report came; None: never.
    """

    name: str
    created: float
    modified: float
    content: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    borrowed: int = 0
    sampled: int = 0
    reported: float | None = None


class Catalog:
    """X-Ray's metadata of one data directory.

    Attributes:
        groups: The groups by name.
        rules: The sampling rules by name.
    """

    def __init__(self, directory: Path) -> None:
        self._engine = tables.open_engine(directory)
        self._lock = threading.RLock()
        self.groups: dict[str, Group] = {}
        self.rules: dict[str, Rule] = {}
        self._values: dict[str, Any] = {}
        with self._engine.connect() as connection:
            self._load(connection)
            connection.commit()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _load(self, connection: Connection) -> None:
        for row in connection.execute(select(tables.GROUPS)).mappings():
            self.groups[row["name"]] = Group(**row)
        for row in connection.execute(select(tables.RULES)).mappings():
            self.rules[row["name"]] = Rule(**row)
        for row in connection.execute(select(tables.VALUES)).mappings():
            self._values[row["name"]] = row["value"]
        if DEFAULT not in self.rules:
            now = time.time()
            made = Rule(name=DEFAULT, created=now, modified=now, content=dict(_DEFAULT_CONTENT))
            connection.execute(insert(tables.RULES).values(_row(tables.RULES, made)))
            self.rules[DEFAULT] = made

    def value(self, name: str, default: Any) -> Any:
        """Return a single value."""
        return self._values.get(name, default)

    def put_value(self, name: str, value: Any) -> None:
        """Keep a single value."""
        with self._lock, self._engine.connect() as connection:
            self._put_value(connection, name, value)
            connection.commit()
            self._values[name] = value

    def _put_value(self, connection: Connection, name: str, value: Any) -> None:
        table = tables.VALUES
        connection.execute(delete(table).where(table.c.name == name))
        connection.execute(insert(table).values(name=name, value=value))

    def add_group(self, name: str, **members: Any) -> Group:
        """Add a group.

        Raises:
            AwsError: There is one of this name.
        """
        with self._lock, self._engine.connect() as connection:
            if name in self.groups:
                raise invalid(f"A group with the name {name} already exists.")
            made = Group(name=name, identity=new_identity(), **members)
            connection.execute(insert(tables.GROUPS).values(_row(tables.GROUPS, made)))
            connection.commit()
            self.groups[name] = made
            return made

    def change_group(self, name: str, **changes: Any) -> Group:
        """Change members of a group.

        Raises:
            AwsError: There is no such group.
        """
        with self._lock:
            group = self.group(name)
            self._change(tables.GROUPS, group, changes)
            return group

    def group(self, name: str) -> Group:
        """Return a group.

        Raises:
            AwsError: There is none of this name.
        """
        found = self.groups.get(name)
        if found is None:
            raise invalid(f"There is no group with the name {name[:100]}.")
        return found

    def remove_group(self, name: str) -> None:
        """Remove a group.

        Raises:
            AwsError: There is no such group.
        """
        with self._lock, self._engine.connect() as connection:
            self.group(name)
            connection.execute(delete(tables.GROUPS).where(tables.GROUPS.c.name == name))
            connection.commit()
            del self.groups[name]

    @property
    def rules_modified(self) -> float:
        """When a rule was added, changed or deleted last."""
        newest = max(rule.modified for rule in list(self.rules.values()))
        return max(newest, float(self._values.get(_MODIFIED, 0.0)))

    def rule(self, name: str) -> Rule:
        """Return a sampling rule.

        Raises:
            AwsError: There is none of this name.
        """
        found = self.rules.get(name)
        if found is None:
            raise invalid(f"There is no sampling rule with the name {name[:100]}.")
        return found

    def add_rule(self, content: dict[str, Any], tags: dict[str, str]) -> Rule:
        """Add a sampling rule.

        Raises:
            AwsError: There is one of this name, or there are too many.
        """
        name = str(content["RuleName"])
        with self._lock, self._engine.connect() as connection:
            if name in self.rules:
                raise invalid(f"A sampling rule with the name {name} already exists.")
            if len(self.rules) > RULES_MAX:
                raise too_many_rules(RULES_MAX)
            now = time.time()
            made = Rule(name=name, created=now, modified=now, content=content, tags=tags)
            connection.execute(insert(tables.RULES).values(_row(tables.RULES, made)))
            connection.commit()
            self.rules[name] = made
            return made

    def change_rule(self, name: str, changes: dict[str, Any]) -> Rule:
        """Change members of a sampling rule's content.

        Raises:
            AwsError: There is no such rule.
        """
        with self._lock:
            rule = self.rule(name)
            content = rule.content | changes
            self._change(tables.RULES, rule, {"content": content, "modified": time.time()})
            return rule

    def remove_rule(self, name: str) -> Rule:
        """Remove a sampling rule and return it.

        Raises:
            AwsError: There is no such rule.
        """
        with self._lock, self._engine.connect() as connection:
            self.rule(name)
            now = time.time()
            connection.execute(delete(tables.RULES).where(tables.RULES.c.name == name))
            self._put_value(connection, _MODIFIED, now)
            connection.commit()
            self._values[_MODIFIED] = now
            return self.rules.pop(name)

    def set_tags(self, thing: Group | Rule, tags: dict[str, str]) -> None:
        """Give a group or a rule other tags."""
        table = tables.GROUPS if isinstance(thing, Group) else tables.RULES
        with self._lock:
            self._change(table, thing, {"tags": tags})

    def count(self, name: str, requests: int, borrowed: int, sampled: int) -> bool:
        """Add a sampler's report to a rule; return whether there is such a rule."""
        with self._lock:
            rule = self.rules.get(name)
            if rule is None:
                return False
            changes = {
                "requests": rule.requests + requests,
                "borrowed": rule.borrowed + borrowed,
                "sampled": rule.sampled + sampled,
                "reported": time.time(),
            }
            self._change(tables.RULES, rule, changes)
            return True

    def _change(self, table: Table, thing: Group | Rule, changes: dict[str, Any]) -> None:
        with self._engine.connect() as connection:
            connection.execute(update(table).where(table.c.name == thing.name).values(**changes))
            connection.commit()
        for member, value in changes.items():
            setattr(thing, member, value)


def _row(table: Table, thing: Group | Rule) -> dict[str, Any]:
    return {column.name: getattr(thing, column.name) for column in table.columns}
