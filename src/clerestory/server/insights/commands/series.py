"""Commands that look at neighbouring rows: accum, autoregress, filldown, fillmissing and others.

    parser -> [commands] -> builder -> program

Invariant: neighbours are those of the order in force: newest first until `sort` says otherwise.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.functions.dates import length_ms
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Duration, Name, Node, Step
from clerestory.server.insights.registry import Command
from clerestory.server.insights.values import Sql

LAGS_MAX: Final = 100
SESSION: Final = Duration(30.0, "m", (0, 1))


@dataclass(frozen=True, slots=True)
class Accum:
    """What to add up, and the sum's name."""

    field: Name
    alias: str


def _parse_accum(parser: Parser) -> Accum:
    field = parser.name()
    alias = f"accum_{field.text}"
    if parser.reader.accept_word("as"):
        alias = parser.name("a name for the sum").text
    return Accum(field, alias)


def _ordered(builder: Builder) -> str:
    return f"ORDER BY {', '.join(builder.order)}" if builder.order else ""


def _accum(builder: Builder, step: Step) -> None:
    accum: Accum = step.details
    number = builder.bind(values.number(builder, builder.field(accum.field)))
    builder.flush()
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    builder.define(accum.alias, Sql("number", f"sum({number}) OVER ({_ordered(builder)} {frame})"))
    builder.settle()


@dataclass(frozen=True, slots=True)
class Lags:
    """Which field, what its copies are called, and how far back they look."""

    field: Name
    alias: str
    first: int
    last: int


def _parse_lags(parser: Parser) -> Lags:
    reader = parser.reader
    field = parser.name()
    alias = ""
    if reader.accept_word("as"):
        alias = parser.name("a name for the earlier value").text
    first = last = 1
    if reader.at_word("p"):
        reader.take()
        reader.expect("=", "after p")
        first = last = reader.integer("p", least=1, most=LAGS_MAX)
        if reader.accept("-"):
            last = reader.integer("p", least=first, most=LAGS_MAX)
    return Lags(field, alias, first, last)


def _lags(builder: Builder, step: Step) -> None:
    lags: Lags = step.details
    value = builder.held(builder.field(lags.field))
    held = builder.bind(f"toNullable({value.text})")
    builder.flush()
    for lag in range(lags.first, lags.last + 1):
        label = f"{lags.field.text}_p{lag}"
        if lags.alias:
            label = lags.alias if lags.first == lags.last else f"{lags.alias}_p{lag}"
        window = f"lagInFrame({held}, {lag}) OVER ({_ordered(builder)} "
        window += "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        builder.define(label, Sql(value.kind, window))
    builder.settle()


def _parse_filldown(parser: Parser) -> tuple[tuple[str, ...], bool]:
    reader = parser.reader
    names: list[str] = []
    while not reader.at_end():
        if names:
            reader.accept(",")
        name = parser.name("a field").text
        while reader.at("*"):
            name += reader.take().text
        names.append(name)
    return tuple(names), not names


def _filldown(builder: Builder, step: Step) -> None:
    names, every = step.details
    known = dict(builder.outputs())
    wanted: dict[str, Sql] = {}
    for name in names:
        if "*" in name:
            wanted |= {label: v for label, v in known.items() if fnmatchcase(label, name)}
        else:
            wanted[name] = builder.field(Name((name,), name, step.at))
    for label, value in (known if every else wanted).items():
        held = builder.bind(f"toNullable({value.text})")
        builder.flush()
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        filled = f"last_value({held}) IGNORE NULLS OVER ({_ordered(builder)} {frame})"
        made = builder.held(Sql(value.kind, filled))
        builder.env[label] = made
        if label in builder.extra:
            builder.extra[label] = made
    builder.settle()


def _parse_fillmissing(parser: Parser) -> dict[str, Node]:
    found: dict[str, Node] = {}
    if not parser.reader.accept_word("with"):
        return found
    while True:
        value = parser.expression()
        parser.reader.expect_word("for", "and the field that gets the value")
        found[parser.name().text] = value
        if not parser.reader.accept(","):
            return found


BINS_MAX: Final = 10_000


def _fillmissing(builder: Builder, step: Step) -> None:
    fills: dict[str, Node] = step.details
    if builder.bin is None or builder.open:
        hint = "as in stats avg(x) as y by bin(1m) | fillmissing with 0 for y"
        raise wrong("fillmissing follows stats .. by bin(..)", step.at, hint)
    label, width, others = builder.bin
    if others:
        message = (
            f"fillmissing works with bin(..) as the only group key; there is also `{others[0]}`"
        )
        raise wrong(message, step.at)
    for name, node in fills.items():
        if name not in builder.env:
            raise wrong(f"`{name}` is not among the results of stats", node.at)
    first = builder.start_ms // width * width
    if (builder.end_ms - first) // width >= BINS_MAX:
        raise wrong(f"fillmissing would make more than {BINS_MAX} bins", step.at, "a longer bin")
    key = builder.bind(f"assumeNotNull({builder.env[label].text})")
    held = {name: builder.bind(f"toNullable({v.text})") for name, v in builder.env.items()}
    there = builder.bind("toUInt8(1)")
    builder.stage(
        f"SELECT * FROM {{from}} ORDER BY {key} WITH FILL FROM toInt64({first}) "
        f"TO toInt64({builder.end_ms + 1}) STEP {width}"
    )
    for name, value in dict(builder.env).items():
        text = held[name]
        if name == label:
            text = key
        elif name in fills:
            filler = builder.value(fills[name])
            given = (
                values.number(builder, filler)
                if value.kind == "number"
                else values.shown_of(builder, filler)
            )
            text = f"if({there} = 0, {given}, {text})"
        builder.env[name] = builder.held(Sql(value.kind, text))
    builder.order = [f"{key} DESC"]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Who, how long the silence between two sessions is, and the number's name."""

    fields: tuple[Name, ...]
    span: Duration
    alias: str


def _parse_sessions(parser: Parser) -> Sessions:
    reader = parser.reader
    fields = parser.names()
    span, alias = SESSION, "session_id"
    if reader.accept_word("maxspan"):
        token = reader.token
        node = parser.expression()
        if not isinstance(node, Duration):
            raise wrong("maxspan wants a period, such as 30m", (token.start, token.end))
        span = node
    if reader.accept_word("as"):
        alias = parser.name("a name for the session").text
    return Sessions(fields, span, alias)


def _sessions(builder: Builder, step: Step) -> None:
    sessions: Sessions = step.details
    if not builder.open:
        raise wrong("sessionize needs log events; after stats there are none", step.at)
    who = [builder.bind(values.shown_of(builder, builder.field(name))) for name in sessions.fields]
    time = builder.bind(
        values.time_of(builder, builder.field(Name(("@timestamp",), "@timestamp", step.at)))
    )
    builder.flush()
    order = f"ORDER BY {', '.join(builder.row)}"
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    by = f"PARTITION BY {', '.join(who)} {order} {frame}"
    gap = builder.bind(f"{time} - lagInFrame(toNullable({time}), 1) OVER ({by})")
    builder.flush()
    number = builder.bind(f"sum(ifNull({gap} > {length_ms(sessions.span)}, 1)) OVER ({by})")
    builder.flush()
    parts = ", '-', ".join(f"ifNull({one}, '')" for one in who)
    builder.define(sessions.alias, Sql("text", f"concat({parts}, '-', toString({number}))"))
    builder.settle()


@dataclass(frozen=True, slots=True)
class Totals:
    """Which fields to add up, and the sum's name."""

    fields: tuple[Name, ...]
    label: str


def _parse_totals(parser: Parser) -> Totals:
    reader = parser.reader
    label = "Total"
    while reader.at_word("fieldname", "row", "col"):
        token = reader.take()
        word = token.text.lower()
        reader.expect("=", f"after {word}")
        value = reader.expect_name("a name, true or false").text
        if word == "fieldname":
            label = value
        elif value.lower() != ("true" if word == "row" else "false"):
            hint = "for sums over rows use stats sum(field)"
            raise wrong(
                f"addtotals {word}={value} is not supported", (token.start, reader.end), hint
            )
    fields = () if reader.at_end() else parser.names()
    return Totals(fields, label)


def _totals(builder: Builder, step: Step) -> None:
    totals: Totals = step.details
    if totals.fields:
        found = [builder.field(name) for name in totals.fields]
    else:
        found = [v for _label, v in builder.outputs() if v.kind in ("number", "any", "text")]
    numbers = [builder.bind(values.number(builder, value)) for value in found]
    total = " + ".join(f"ifNull({number}, 0)" for number in numbers) or "0"
    builder.define(totals.label, Sql("number", f"toFloat64({total})"))


COMMANDS: Final = (
    Command(
        name="accum",
        syntax="accum field [as name]",
        help="Adds a running sum, in the order of the rows.",
        example="sort @timestamp asc | accum bytes as total",
        parse=_parse_accum,
        compile=_accum,
    ),
    Command(
        name="autoregress",
        syntax="autoregress field [as name] [p=first[-last]]",
        help="Adds the field's values in earlier rows: field_p1, field_p2 and so on.",
        example="sort @timestamp asc | autoregress bytes p=1-2",
        parse=_parse_lags,
        compile=_lags,
    ),
    Command(
        name="filldown",
        syntax="filldown [field ...]",
        help="Fills a missing value with the last one before it; `*` stands for any characters; "
        "without fields all columns of the result.",
        example="fields @timestamp, host | sort @timestamp asc | filldown host",
        parse=_parse_filldown,
        compile=_filldown,
    ),
    Command(
        name="fillmissing",
        syntax="fillmissing [with value for field, ...]",
        help="After `stats .. by bin(..)`: adds a row for every bin of the query's time that has "
        "none.",
        example="stats avg(latency) as ms by bin(1m) | fillmissing with 0 for ms",
        parse=_parse_fillmissing,
        compile=_fillmissing,
    ),
    Command(
        name="sessionize",
        syntax="sessionize field, ... [maxspan period] [as name]",
        help="Numbers the sessions: events with the same values and no silence longer than the "
        "period, 30m unless said otherwise.",
        example="sessionize user_id maxspan 10m as session | stats count(*) by session",
        parse=_parse_sessions,
        compile=_sessions,
    ),
    Command(
        name="addtotals",
        syntax="addtotals [fieldname=name] [field, ...]",
        help="Adds a column with the sum of the row's numbers.",
        example="stats sum(a) as a, sum(b) as b by host | addtotals",
        parse=_parse_totals,
        compile=_totals,
    ),
)
