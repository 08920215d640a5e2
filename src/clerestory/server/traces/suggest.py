"""What may follow in a search for spans: their fields, and the values that they have.

    search bar -> scope -> [suggest] -> store

Invariant: a value that is offered is one of a span that the rest of the search matches.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Mapping
from typing import Any, Final

from clerestory.server.api.rows import display
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import scope_of

SUGGESTIONS: Final = 20
OWN: Final = (
    "service", "name", "kind", "status", "duration", "error", "root", "peer", "pending", "trace",
    "span", "parent", "has",
)  # fmt: skip
_COLUMNS: Final = {
    "service": "service",
    "name": "name",
    "kind": "kind",
    "status": "status",
    "peer": "peer",
    "logger": "logger",
    "scope": "logger",
    "trace": "trace_id",
    "span": "span_id",
    "parent": "parent_span_id",
}
_WORDS: Final = {
    "error": ("true", "false"),
    "root": ("true", "false"),
    "pending": ("true", "false"),
    "duration": ("10ms", "100ms", "500ms", "1s", "10s"),
}


def suggest_spans(connection: Connection, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """Answer `/api/v1/traces/suggest`: values of a field, or names of fields, with counts."""
    field, prefix = params.get("field", ""), params.get("prefix", "").lower()
    if field in _WORDS:
        words = [word for word in _WORDS[field] if word.startswith(prefix)]
        return [{"value": word, "count": 0} for word in words]
    if not field or field == "has":
        own = () if field else OWN
        first = [{"value": name, "count": 0} for name in own if name.startswith(prefix)]
        return [*first, *_names(connection, params, prefix)][:SUGGESTIONS]
    held, present, more = _held(field)
    scope = scope_of(params)
    found = connection.rows(
        f"SELECT {held} AS held, count() AS used FROM spans WHERE {scope.where} AND {present} "
        "GROUP BY held HAVING startsWith(lower(if(ascii(held) = 34, substring(held, 2), held)), "
        f"{{prefix:String}}) ORDER BY used DESC, held LIMIT {SUGGESTIONS}",
        scope.parameters | more | {"prefix": prefix},
    )
    return [{"value": display(value), "count": used} for value, used in found]


def _held(field: str) -> tuple[str, str, dict[str, Parameter]]:
    """Return SQL of a field's text, SQL of its presence, and their parameters."""
    column = _COLUMNS.get(field)
    if column:
        return column, f"{column} != ''", {}
    return "attrs[{field:String}]", "mapContains(attrs, {field:String})", {"field": field}


def _names(connection: Connection, params: Mapping[str, str], prefix: str) -> list[dict[str, Any]]:
    scope = scope_of(params)
    found = connection.rows(
        f"SELECT arrayJoin(mapKeys(attrs)) AS key, count() AS used FROM spans WHERE {scope.where} "
        "GROUP BY key HAVING startsWith(lower(key), {prefix:String}) "
        f"ORDER BY used DESC, key LIMIT {SUGGESTIONS}",
        scope.parameters | {"prefix": prefix},
    )
    return [{"value": key, "count": used} for key, used in found]
