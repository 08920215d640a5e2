"""The language once more, slow and plain: row by row over the tree, without any SQL.

It is written from the documentation and knows nothing of the store; the property test compares
both. A value is None (missing), str, float, bool, `Time` or `Json` (a map or a list).
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import Any

from clerestory.server.insights.language.parser import parse
from clerestory.server.insights.language.tree import (
    Binary,
    Call,
    Duration,
    Literal,
    Name,
    Node,
    Query,
    Regex,
    Step,
    Unary,
    Within,
)
from tests.server.insights.meaning import (
    FUNCTIONS,
    Json,
    Time,
    arithmetic,
    compare,
    encoded,
    inside,
    number,
    number_text,
    plain,
    shown,
    text,
    truth,
)

AGGREGATES = {
    "count",
    "count_distinct",
    "avg",
    "sum",
    "min",
    "max",
    "pct",
    "median",
    "stddev",
    "earliest",
    "latest",
    "sortsfirst",
    "sortslast",
}


@dataclass
class Row:
    """One row: an event's fields, columns that were made, and its place among events."""

    event: Mapping[str, Any] | None
    made: dict[str, Any] = field(default_factory=dict)
    place: tuple[Any, ...] = ()


class Interpreter:
    """Runs queries over events: pairs of fields and place, newest place first."""

    def __init__(self, events: Iterable[tuple[Mapping[str, Any], tuple[Any, ...]]]) -> None:
        self._events = [Row(event, {}, place) for event, place in events]

    def run(self, query_text: str, limit: int = 10_000) -> list[dict[str, str]]:
        query = parse(query_text)
        rows, columns = self._steps(query)
        found: list[dict[str, str]] = []
        for row in rows[:limit]:
            named = {label: shown(self._label(row, label)) for label in columns(row)}
            found.append({label: value for label, value in named.items() if value is not None})
        return found

    def _label(self, row: Row, label: str) -> Any:
        if label in row.made:
            return row.made[label]
        return (row.event or {}).get(label)

    def _steps(self, query: Query) -> tuple[list[Row], Callable[[Row], list[str]]]:
        rows = sorted(
            (Row(row.event, dict(row.made), row.place) for row in self._events),
            key=lambda row: row.place,
            reverse=True,
        )
        display: list[str] | None = None
        added: list[str] = []
        has_fields = False
        closed = False
        for step in query.steps:
            made: list[str] = []
            if step.command in ("fields", "display"):
                made = [column.label for column in step.details]
                for row in rows:
                    for column in step.details:
                        row.made[column.label] = self.value(row, column.node)
                has_fields = has_fields or step.command == "fields"
                if step.command == "display":
                    display = list(dict.fromkeys(made))
                    made = []
            elif step.command in ("filter", "where", "filterindex"):
                rows = [row for row in rows if truth(self.value(row, step.details))]
            elif step.command == "sort":
                rows = self._sorted(rows, step)
            elif step.command in ("limit", "head", "tail"):
                rows = rows[: step.details.count]
            elif step.command == "dedup":
                rows = list(self._deduplicated(rows, step))
            elif step.command == "parse":
                made = self._parse(rows, step)
            elif step.command == "unnest":
                rows = list(self._unnested(rows, step))
                made = [step.details.alias]
            elif step.command == "stats":
                rows, display = self._stats(rows, step)
                added, closed = [], True
            else:
                raise NotImplementedError(step.command)
            added += [label for label in made if label not in added]
            if closed and display is not None and step.command != "display":
                display += [label for label in made if label not in display]
        start = [] if has_fields else ["@timestamp", "@message"]
        columns = list(dict.fromkeys([*start, *added])) if display is None else display
        return rows, lambda _row: columns

    # -- expressions

    def value(self, row: Row, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Name):
            return self._name(row, node)
        if isinstance(node, Unary):
            operand = self.value(row, node.operand)
            if node.op == "not":
                return not truth(operand)
            negative = number(operand)
            return None if negative is None else -negative
        if isinstance(node, Binary):
            return self._binary(row, node)
        if isinstance(node, Within):
            return self._within(row, node)
        assert isinstance(node, Call)
        return self._call(row, node)

    def _name(self, row: Row, node: Name) -> Any:
        if node.text in row.made:
            return row.made[node.text]
        for length in range(len(node.path) - 1, 0, -1):
            head = ".".join(str(part) for part in node.path[:length])
            if isinstance(row.made.get(head), Json):
                return inside(row.made[head], node.path[length:])
        event = row.event or {}
        if event.get(node.text) is not None:
            return event[node.text]
        for length in range(len(node.path) - 1, 0, -1):
            head = ".".join(str(part) for part in node.path[:length])
            found = inside(event.get(head), node.path[length:])
            if found is not None:
                return found
        return None

    def _binary(self, row: Row, node: Binary) -> Any:
        left = self.value(row, node.left)
        if node.op == "and":
            return truth(left) and truth(self.value(row, node.right))
        if node.op == "or":
            return truth(left) or truth(self.value(row, node.right))
        if node.op in ("like", "not like", "=~"):
            subject = text(left)
            if isinstance(node.right, Regex):
                if subject is None:
                    return False
                found = re.search(node.right.pattern, subject) is not None
            else:
                part = text(self.value(row, node.right))
                if subject is None or part is None:
                    return False
                found = part in subject
            return found == (node.op != "not like")
        right = self.value(row, node.right)
        if node.op in "+-*/%^":
            return arithmetic(node.op, left, right)
        return compare(node.op, left, right)

    def _within(self, row: Row, node: Within) -> bool:
        value = self.value(row, node.operand)
        if text(value) is None:
            return False
        if isinstance(node.items, Query):
            rows, columns = self._steps(node.items)
            found = {shown(self._label(one, columns(one)[0])) for one in rows}
            return (text(value) in found) != node.negated
        same = any(compare("=", value, self.value(row, item)) for item in node.items)
        return same != node.negated

    def _call(self, row: Row, node: Call) -> Any:
        if node.name == "bin":
            time = self._name(row, Name(("@timestamp",), "@timestamp", node.at))
            return floor_time(time, node.arguments[0])
        if node.name in ("datefloor", "dateceil"):
            time = self.value(row, node.arguments[0])
            begin = floor_time(time, node.arguments[1])
            if node.name == "datefloor" or begin is None or begin == time:
                return begin
            period = node.arguments[1]
            assert isinstance(period, Duration)
            return Time(begin.ms + width(period))
        values = [self.value(row, argument) for argument in node.arguments]
        if node.name == "coalesce":
            # fields of the event keep their type; beside anything else a value is its text
            names = [one for one in node.arguments if isinstance(one, Name)]
            events = [one for one in names if not one.text.startswith("@")]
            whole = len(events) == len(node.arguments)
            return next((one if whole else shown(one) for one in values if one is not None), None)
        return FUNCTIONS[node.name](*values)

    # -- commands

    def _sorted(self, rows: list[Row], step: Step) -> list[Row]:
        if len(step.details) == 1 and self._is_event_time(rows, step.details[0].node):
            descending = step.details[0].descending
            return sorted(rows, key=lambda row: row.place, reverse=descending)
        keyed = [(row, [self.value(row, key.node) for key in step.details]) for row in rows]
        for index, key in reversed(list(enumerate(step.details))):
            keyed.sort(key=cmp_to_key(ordering(index, key.descending)))
        return [row for row, _values in keyed]

    def _is_event_time(self, rows: list[Row], node: Any) -> bool:
        if not (isinstance(node, Name) and node.text == "@timestamp"):
            return False
        return all(row.event and self.value(row, node) == row.event["@timestamp"] for row in rows)

    def _deduplicated(self, rows: list[Row], step: Step) -> Iterator[Row]:
        seen: set[tuple[str | None, ...]] = set()
        for row in rows:
            key = tuple(shown(self._name(row, name)) for name in step.details)
            if None in key or key not in seen:
                seen.add(key)
                yield row

    def _parse(self, rows: list[Row], step: Step) -> list[str]:
        parse = step.details
        if parse.kind == "glob":
            pieces = [re.escape(piece) for piece in parse.pattern.split("*")]
            pattern = ""
            for index, piece in enumerate(pieces[:-1]):
                last = index == len(pieces) - 2 and not pieces[-1]
                pattern += piece + ("(.*)" if last else "(.*?)")
            compiled = re.compile(pattern + pieces[-1], re.DOTALL)
        else:
            compiled = re.compile(parse.pattern)
        for row in rows:
            subject = text(self._name(row, parse.field))
            found = compiled.search(subject) if subject is not None else None
            for index, alias in enumerate(parse.aliases, 1):
                row.made[alias] = (found[index] or "") if found else None
        return list(parse.aliases)

    def _unnested(self, rows: list[Row], step: Step) -> Iterator[Row]:
        for row in rows:
            value = self._name(row, step.details.field)
            items = [value]
            if isinstance(value, Json) and value.text.startswith("["):
                items = [plain(item) for item in json.loads(value.text)]
            for item in items:
                yield Row(row.event, {**row.made, step.details.alias: item}, row.place)

    def _stats(self, rows: list[Row], step: Step) -> tuple[list[Row], list[str]]:
        stats = step.details
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            key = tuple(group_key(self.value(row, column.node)) for column in stats.keys)
            groups.setdefault(key, []).append(row)
        labels = [column.label for column in stats.keys]
        found: list[Row] = []
        for key, members in groups.items():
            made = dict(zip(labels, key, strict=True))
            for column in stats.results:
                made[column.label] = self._aggregated(members, made, column.node)
            found.append(Row(None, made))
        for index, label in reversed(list(enumerate(labels))):
            pairs = [(row, [row.made[label]]) for row in found]
            is_time = any(isinstance(values[0], Time) for _row, values in pairs)
            pairs.sort(key=cmp_to_key(ordering(0, is_time)))
            found = [row for row, _values in pairs]
            del index
        return found, [*labels, *(column.label for column in stats.results)]

    def _aggregated(self, rows: list[Row], made: dict[str, Any], node: Node) -> Any:
        if isinstance(node, Call) and node.name in AGGREGATES:
            return self._aggregate(rows, node)
        if isinstance(node, Binary):
            left = self._aggregated(rows, made, node.left)
            return arithmetic(node.op, left, self._aggregated(rows, made, node.right))
        return self.value(Row(None, made), node)

    def _aggregate(self, rows: list[Row], node: Call) -> Any:
        if node.name == "count" and (not node.arguments or not isinstance(node.arguments[0], Name)):
            return float(len(rows))
        values = [self.value(row, node.arguments[0]) for row in rows]
        there = [value for value in values if value is not None]
        if node.name == "count":
            return float(len(there))
        if node.name == "count_distinct":
            return float(len({shown(value) for value in there}))
        if node.name in ("earliest", "latest"):
            ordered = sorted(zip(rows, values, strict=True), key=lambda pair: pair[0].place)
            present = [value for _row, value in ordered if value is not None]
            return present[0 if node.name == "earliest" else -1] if present else None
        texts = sorted((one for one in map(text, there) if one is not None), key=encoded)
        if node.name in ("sortsfirst", "sortslast"):
            return texts[0 if node.name == "sortsfirst" else -1] if texts else None
        numbers = [one for one in map(number, there) if one is not None]
        if node.name in ("min", "max"):
            pick = min if node.name == "min" else max
            if there and all(isinstance(one, float | Time) for one in there):
                return pick(there, key=lambda one: number(one) or 0.0)
            if numbers:
                return number_text(pick(numbers))
            return texts[0 if node.name == "min" else -1] if texts else None
        return reduced(node, numbers)


def reduced(node: Call, numbers: list[float]) -> float | None:
    if not numbers:
        return None
    if node.name == "sum":
        return math.fsum(numbers)
    if node.name == "avg":
        return math.fsum(numbers) / len(numbers)
    if node.name == "stddev":
        if len(numbers) == 1:
            return None
        mean = math.fsum(numbers) / len(numbers)
        return math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1))
    level = 0.5
    if node.name == "pct":
        assert isinstance(node.arguments[1], Literal)
        level = float(node.arguments[1].value) / 100
    ordered = sorted(numbers)
    place = level * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def group_key(value: Any) -> Any:
    return value.text if isinstance(value, Json) else value


def ordering(index: int, descending: bool) -> Callable[[Any, Any], int]:
    """Numbers, then texts, then what is missing, whichever way."""

    def rank(value: Any) -> int:
        return 2 if text(value) is None else 0 if number(value) is not None else 1

    def order(left: tuple[Row, list[Any]], right: tuple[Row, list[Any]]) -> int:
        a, b = left[1][index], right[1][index]
        if rank(a) != rank(b):
            return rank(a) - rank(b)
        if rank(a) == 2:
            return 0
        keys = [(number(x) or 0.0, encoded(text(x) or "")) for x in (a, b)]
        if all(isinstance(x, float | bool | Time) for x in (a, b)):
            keys = [(one[0], b"") for one in keys]
        way = (keys[0] > keys[1]) - (keys[0] < keys[1])
        return -way if descending else way

    return order


UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
CAPS = {"ms": 1000, "s": 60, "m": 60, "h": 24}


def width(period: Duration) -> int:
    count = min(int(period.count), CAPS.get(period.unit, 10**9))
    return count * UNITS_MS[period.unit]


def floor_time(time: Any, period: Node) -> Time | None:
    assert isinstance(period, Duration)
    ms = number(time)
    if ms is None:
        return None
    shift = 3 * 86_400_000 if period.unit == "w" else 0
    step = width(period)
    return Time((int(ms) + shift) // step * step - shift)
