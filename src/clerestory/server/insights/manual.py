"""The reference of the language, its cheat sheet, and what an editor offers: from the registry.

    commands, functions -> registry -> [manual] -> docs/reference/insights.md, completion
                                                -> docs/how-to/insights-cheat-sheet.md

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

What is not supported is an error that names it and points at the character. The
[cheat sheet](../how-to/insights-cheat-sheet.md) has queries to copy.
"""

_ASKING: Final = """\
## Where to ask

| where | how |
|---|---|
| the page | [`/query`](../how-to/query-page.md) |
| a terminal | [`clerestory query 'stats count(*) by level' --from 1h`](cli.md#clerestory-query) |
| an AWS client | [StartQuery and GetQueryResults](../how-to/ci-without-aws.md) |
| any program | `POST /api/v1/insights` |

The body of `POST /api/v1/insights` is JSON: `query`, `groups` (names of log groups; none means
all), `from` and `to` (`-15m`, `now`, ISO 8601 or milliseconds), `limit`. The answer is NDJSON: while
the query runs a line `{"progress": {..}}` about every 200 ms, with the records and bytes that the
engine has read; at the end `{"result": {..}}` or `{"error": {..}}`. Who closes the connection ends
the query. A text that is no query is answered with 400, and `errors` has the offset of the first
wrong character, that behind the last one, the message and a suggestion.

A result has `columns` (name and type: `time`, `number` or `text`), `rows`, `record_ids` (what
`/api/v1/logs/{id}` takes, null for aggregates), `statistics`, `limit`, `limited` (there are more
rows) and `warnings`. A number is a JSON number, a missing value is null, every other cell is text;
a column of events is one of numbers when each of its cells is a number of at most 15 digits.

`POST /api/v1/insights/export?format=csv|json|ndjson|parquet` takes the same body and gives a file.
No value is changed: a cell that begins with `=`, `+`, `-`, `@` or a tab is written as it is, and a
spreadsheet may take it for a formula; import such a file as text.

Beside these are `POST .../check` (errors, without running), `GET .../language`, `GET .../fields`,
`GET .../groups`, and `GET`, `PUT` and `DELETE .../saved`: saved queries are the query definitions
of the AWS API.
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
| arithmetic | with what is no number, or by zero, gives a missing value; so does a remainder of a quotient beyond 2^51 |

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
## Speed

What a query reads decides how long it takes: its groups, its time, and the fields it names. An
attribute rests in one map with all others of its record. When three queries of more than 100 ms
have read one, the server gives it a column of its own, in the background and without changing an
answer; later queries read that alone. `server.attribute_columns` says how many attributes may have
one. When none is left, one that no query has read for a day makes room.

## Limits

| what | limit |
|---|---|
| characters of a query | 10,000 |
| commands of a query; `stats` among them | 64; 10 |
| rows without `limit`, with it | 10,000; 100,000 |
| values of `in [..]`; operators of an expression | 1,000; 200 |
| fields of a `parse` | 100 |
"""


_SHEET: Final = """\
Each query here can be copied as it is: into the page, behind `clerestory query`, or into StartQuery
of the AWS endpoint. Every one of them runs in the tests.

```sh
clerestory query 'stats count(*) as n by level | sort n desc' --from 1h
```

All rules and limits are in [the reference](../reference/insights.md).
"""

# question, query
_QUESTIONS: Final = (
    ("What happened last?", "fields @timestamp, level, message | sort @timestamp desc | limit 20"),
    (
        "What went wrong for one user?",
        'filter level = "ERROR" and user_id = "u1" | fields @timestamp, message, error_code',
    ),
    (
        "Which paths fail most?",
        "filter status >= 500 | stats count(*) as errors by path | sort errors desc | limit 10",
    ),
    (
        "What share of the requests fails, every five minutes?",
        "stats sum(status >= 500) / count(*) * 100 as percent by bin(5m)",
    ),
    (
        "How long do requests take?",
        "stats avg(latency), pct(latency, 50), pct(latency, 99), max(latency) by bin(5m)",
    ),
    (
        "Which requests were the slowest?",
        "fields @timestamp, method, path, latency | sort latency desc | limit 10",
    ),
    ("How many users are there an hour?", "stats count_distinct(user_id) as users by bin(1h)"),
    (
        "What is the last that each user did?",
        "fields @timestamp, user_id, path | sort @timestamp desc | dedup user_id",
    ),
    ("Which messages are alike?", "pattern @message"),
    ("What is new since yesterday?", "pattern @message | diff previousDay"),
    (
        "What took how long, where the text alone says it?",
        (
            'parse @message "user=*, time:*" as user, time | filter ispresent(user) '
            "| stats avg(time) as ms by user | sort ms desc"
        ),
    ),
    (
        "Which service is loudest?",
        "stats count(*) as records, sum(messageSize(@message)) as bytes by @log | sort bytes desc",
    ),
    (
        "What did the requests of failed users look like?",
        (
            'filter user_id in (filter level = "ERROR" | display user_id) '
            "| fields @timestamp, user_id, path, status"
        ),
    ),
    ("All records of one trace?", 'filter trace_id = "4efaaf4d1e874efaaf4d1e874efaaf4d"'),
)


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
    parts = [_INTRODUCTION, _ASKING, "## Commands\n"]
    parts += [_command(one) for one in commands().values() if not one.refusal]
    parts += [_RULES, "## Functions\n"]
    parts += [_group(group) for group in GROUPS]
    parts += [_LIMITS, _refused()]
    return "\n".join(parts).rstrip() + "\n"


def cheat_sheet() -> str:
    """Return docs/how-to/insights-cheat-sheet.md without its first heading."""
    parts = [_SHEET, "## Questions\n"]
    parts += [f"{question}\n\n```text\n{query}\n```\n" for question, query in _QUESTIONS]
    parts.append("## Commands\n")
    for one in commands().values():
        if not one.refusal:
            parts.append(f"`{one.syntax}`: {one.help}\n\n```text\n{one.example}\n```\n")
    for group in GROUPS:
        rows = [
            f"| `{_cell(signature(one))}` | {_cell(one.help)} | `{_cell(_query_of(one))}` |"
            for one in group
            if not one.refusal
        ]
        heading = f"## {group[0].group}\n\n| function | what | query |\n|---|---|---|"
        parts.append("\n".join([heading, *rows, ""]))
    return "\n".join(parts).rstrip() + "\n"


def _query_of(function: Function) -> str:
    """Return a whole query that uses a function."""
    return f"{'stats' if function.aggregate else 'fields'} {function.example} as x"


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
