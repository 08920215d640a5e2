"""The reference of the language, and what an editor offers: both from the registry.

    commands, functions -> registry -> [manual] -> docs/reference/insights.md, completion

Invariant: what stands here is what the parser knows.
"""

# ruff: noqa: E501 - the rows of a table stand in one line

from dataclasses import dataclass
from typing import Final

from clerestory.server.insights.registry import Command, Function, commands, functions
from clerestory.server.insights.vocabulary import GROUPS

_INTRODUCTION: Final = """\
A query is commands between pipes. It runs on the records of one or more log groups and of a time,
and gives rows; a value that is missing is left out of its row.

```
filter level = "ERROR" and ispresent(user_id)   # a comment ends with the line
| stats count(*) as errors, pct(latency, 99) by path, bin(5m)
| sort errors desc
| limit 20
```

What is not supported is an error that names it and points at the character.
"""

_RULES: Final = """\
## Values

| topic | rule |
|---|---|
| names | letters, digits, `_`, `@` and `.`; any other name stands in backticks: `` `event-name` `` |
| parts of a map or a list | `user.id`, `items[0].name`, `items.0.name` |
| texts | in `"` or `'`; a backslash before a quote or a backslash; `\\n`, `\\t`, `\\r` |
| numbers, periods | `1`, `1.5`, `1e3`; `5m` is five minutes |
| regular expressions | RE2 between slashes; `(?i)` at the begin ignores upper and lower case |
| operators, tightest first | `^`; unary `-`; `*` `/` `%`; `+` `-`; comparisons, `like`, `=~`, `in`; `not`; `and`; `or` |
| `like "text"` | the text occurs, with this upper and lower case; there are no wildcards |
| `like /re/`, `=~ /re/` | the expression matches somewhere |
| `in [1, 2]`, `in (subquery)` | one of the values; a subquery gives one column |
| a missing field | makes every comparison false, also `!=`, `not like` and `not in`; `not (a = 1)` is true |
| a number and a text | compare as numbers; a text that is no number makes it false |
| two texts | compare as numbers when both are numbers, else as texts |
| a map or a list | makes a comparison false and has no text |
| arithmetic | with what is no number, or by zero, gives a missing value; so does a remainder of a quotient beyond 2^53 |

## Fields

| field | value |
|---|---|
| `@timestamp`, `@ingestionTime` | when it happened, when it was stored; UTC |
| `@message` | the event's text; of a record of our own its JSON line |
| `@log`, `@logStream` | account and group; the stream |
| `@ptr` | a pointer to the record; in every row that is an event |
| `level`, `logger`, `message`, `service`, `trace_id`, `span_id` | of the record |
| any other name | a member of the JSON text or an attribute of the record |
| `@requestId`, `@type`, `@duration`, `@billedDuration`, `@initDuration`, `@memorySize`, `@maxMemoryUsed`, `@xrayTraceId`, `@xraySegmentId` | of a line of Lambda |
| `srcAddr`, `dstAddr`, `bytes`, `action`, ... | of a line of VPC flow logs |
| `queryName`, `queryType`, `responseCode`, ... | of a line of Route 53 |
"""

_LIMITS: Final = """\
## Limits

| what | limit |
|---|---|
| characters of a query | 10,000 |
| commands of a query; `stats` among them | 64; 10 |
| rows without `limit`, with it | 10,000; 100,000 |
| values of `in [..]`; operators of an expression | 1,000; 200 |
| fields of a `parse` | 100 |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What an editor can offer.

    Attributes:
        kind: `command`, `function` or `aggregate`.
        name: What to insert.
        detail: How it is written.
        help: What it does.
    """

    kind: str
    name: str
    detail: str
    help: str


def signature(function: Function) -> str:
    """Return how a function is called.

    >>> signature(functions()["round"])
    'round(number, [number])'
    """
    words = {"value": "value", "star": "field", "constant": "literal", "duration": "period"}
    parts: list[str] = []
    for kind in function.parameters:
        word = words.get(kind.rstrip("?*"), kind.rstrip("?*"))
        parts.append(f"[{word}]" if kind[-1] == "?" else "..." if kind[-1] == "*" else word)
    return f"{function.name}({', '.join(parts)})"


def completions() -> list[Completion]:
    """Return everything that can be written, without what is refused."""
    found = [
        Completion(kind="command", name=one.name, detail=one.syntax, help=one.help)
        for one in commands().values()
        if not one.refusal
    ]
    for one in functions().values():
        if not one.refusal:
            kind = "aggregate" if one.aggregate else "function"
            found.append(Completion(kind=kind, name=one.name, detail=signature(one), help=one.help))
    return found


def manual() -> str:
    """Return docs/reference/insights.md without its first heading."""
    parts = [_INTRODUCTION, "## Commands\n"]
    parts += [_command(one) for one in commands().values() if not one.refusal]
    parts += [_RULES, "## Functions\n"]
    parts += [_group(group) for group in GROUPS]
    parts += [_LIMITS, _refused()]
    return "\n".join(parts).rstrip() + "\n"


def _command(command: Command) -> str:
    head = f"### {command.name}\n\n`{command.syntax}`\n\n{command.help}\n"
    return f"{head}\n```\n{command.example}\n```\n"


def _group(group: tuple[Function, ...]) -> str:
    rows = [
        f"| `{_cell(signature(one))}` | {one.returns} | {_cell(one.help)} "
        f"| `{_cell(one.example)}` |"
        for one in group
        if not one.refusal
    ]
    heading = f"### {group[0].group}\n\n| function | gives | what | example |\n|---|---|---|---|"
    return "\n".join([heading, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _refused() -> str:
    known: list[Command | Function] = [*commands().values(), *functions().values()]
    rows = [f"| `{one.name}` | {_cell(one.refusal)} |" for one in known if one.refusal]
    heading = "## Not supported\n\nThese are errors that say so.\n\n| name | instead |\n|---|---|"
    return "\n".join([heading, *rows, ""])
