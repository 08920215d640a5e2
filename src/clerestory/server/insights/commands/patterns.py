"""Commands that group texts of one shape: pattern, and diff with an earlier time.

    parser -> [commands] -> builder -> program

Invariant: the same text has the same pattern in every query and at every time.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from typing import Final

from clerestory.server.insights import columns, values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Name, Query, Step
from clerestory.server.insights.registry import Command
from clerestory.server.insights.values import Sql

_DAY_MS: Final = 86_400_000
# what varies between texts of one shape, most specific first
_VARIABLE: Final = (
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    "|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?"
    "(Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|[0-9]{1,3}(\\.[0-9]{1,3}){3}"
    "|0x[0-9a-fA-F]+"
    "|[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}"
    r"|[0-9]+(\\.[0-9]+)*"
)
_BACK: Final = {"": 0, "previousday": _DAY_MS, "previousweek": 7 * _DAY_MS}


def _parse_pattern(parser: Parser) -> Name:
    return parser.name("the field whose texts are grouped, such as @message")


def _pattern(builder: Builder, step: Step) -> None:
    name: Name = step.details
    text = builder.bind(values.text_of(builder, builder.field(name)))
    if builder.open:
        severity = builder.scan_bind(columns.SEVERITY)
        level = builder.bind(
            values.text_of(builder, builder.field(Name(("level",), "level", name.at)))
        )
        label = f"argMax({level}, {severity})"
    else:
        label = "CAST(NULL, 'Nullable(String)')"
    shape = builder.bind(f"replaceRegexpAll({text}, '{_VARIABLE}', '<*>')")
    builder.settle()
    builder.flush()
    pattern, count, level_name = (builder.around.name("k") for _column in range(3))
    builder.stage(
        f"SELECT {shape} AS {pattern}, toFloat64(count()) AS {count}, {label} AS {level_name} "
        f"FROM {{from}} WHERE isNotNull({shape}) GROUP BY {pattern}"
    )
    builder.close({})
    total = builder.bind(f"sum({count}) OVER ()")
    builder.env = {
        "@pattern": Sql("text", pattern),
        "@sampleCount": Sql("number", count),
        "@ratio": Sql("number", builder.bind(f"{count} / {total}")),
        "@severityLabel": Sql("text", level_name),
    }
    builder.order = [f"{count} DESC", f"{pattern} ASC"]


@dataclass(frozen=True, slots=True)
class Diff:
    """How far back to look; 0 is the length of the query's time, None a month."""

    back_ms: int | None


def _parse_diff(parser: Parser) -> Diff:
    token = parser.reader.token
    if token.kind != "name":
        return Diff(0)
    word = parser.reader.take().text.lower()
    if word == "previousmonth":
        return Diff(None)
    if word not in _BACK:
        hint = "known: previousDay, previousWeek, previousMonth"
        raise wrong(f"diff does not know `{token.text}`", (token.start, token.end), hint)
    return Diff(_BACK[word])


def _diff(builder: Builder, step: Step) -> None:
    diff: Diff = step.details
    if not builder.history or builder.history[-1].command != "pattern":
        hint = "as in pattern @message | diff"
        raise wrong("diff follows pattern", step.at, hint)
    length = builder.end_ms - builder.start_ms + 1
    back = 30 * _DAY_MS if diff.back_ms is None else diff.back_ms or length
    before = Builder(builder.around, builder.scope, builder.start_ms - back, builder.end_ms - back)
    before.run(Query(tuple(builder.history), step.at))
    before.flush()
    builder.flush()
    then, shape, count = (builder.around.name("q") for _name in range(3))
    there, counted = before.env["@pattern"].text, before.env["@sampleCount"].text
    earlier = (
        f"{then} AS ({before.tables()} SELECT {there} AS {shape}, {counted} AS {count} "
        f"FROM {before.relation})"
    )
    builder.before.append(lambda: earlier)
    env = builder.env
    mine = env["@pattern"].text
    builder.stage(f"SELECT * FROM {{from}} FULL JOIN {then} ON {mine} = {shape}")
    now = f"ifNull({env['@sampleCount'].text}, 0)"
    difference = builder.bind(f"{now} - ifNull({count}, 0)")
    pattern = builder.bind(f"coalesce({mine}, {shape})")
    builder.env = {
        "@pattern": Sql("text", pattern),
        "@sampleCount": Sql("number", builder.bind(now)),
        "@ratio": env["@ratio"],
        "@severityLabel": env["@severityLabel"],
        "@difference": Sql("number", difference),
    }
    change = builder.bind(f"abs({difference})")
    builder.order = [f"{change} DESC", f"{pattern} ASC"]


COMMANDS: Final = (
    Command(
        name="pattern",
        syntax="pattern field",
        help="Groups texts that differ only in numbers, ids, addresses and times: @pattern, "
        "@sampleCount, @ratio (its share of all) and @severityLabel (the highest level).",
        example="filter level = 'ERROR' | pattern @message",
        parse=_parse_pattern,
        compile=_pattern,
    ),
    Command(
        name="diff",
        syntax="diff [previousDay|previousWeek|previousMonth]",
        help="After `pattern`: compares with the time of the same length just before, or a day, a "
        "week or 30 days before; @difference is now less then.",
        example="pattern @message | diff previousDay",
        parse=_parse_diff,
        compile=_diff,
    ),
)
