"""Commands that bring records of other groups or times together: SOURCE, join, appendcols.

parser -> [commands] -> builder -> program
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder, Surroundings
from clerestory.server.insights.columns import Scope, Source
from clerestory.server.insights.language.lexer import name_of
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Name, Query, Step
from clerestory.server.insights.registry import Command

_LISTS: Final = {"nameprefix": "prefixes", "accountidentifiers": "accounts"}


def scope_of(
    around: Surroundings, query: Query, outer: Builder | None = None
) -> tuple[Scope | None, int, int, Query]:
    """Return the groups and the time that a query's SOURCE names, and its other commands.

    Raises:
        QueryError: SOURCE is not the first command, or cannot be used here.
    """
    first, *rest = query.steps
    for step in rest:
        if step.command == "source":
            raise wrong("SOURCE can only be the first command", step.at)
    start = outer.start_ms if outer else around.start_ms
    end = outer.end_ms if outer else around.end_ms
    if first.command != "source":
        return None, start, end, query
    source: Source = first.details
    if around.sources is None:
        raise wrong("SOURCE cannot be used here", first.at, "the groups are already chosen")
    scope = around.sources(source)
    start = start if source.start_ms is None else source.start_ms
    end = end if source.end_ms is None else source.end_ms
    return scope, start, end, Query(tuple(rest), query.at)


def _parse_source(parser: Parser) -> Source:
    reader = parser.reader
    start = reader.token.start
    names: list[str] = []
    lists: dict[str, tuple[str, ...]] = {}
    group_class = ""
    if reader.accept_word("loggroups"):
        reader.expect("(", "after logGroups")
        lists, group_class = _groups(parser)
    else:
        names = [_text(parser)]
        while reader.accept(","):
            names.append(_text(parser))
    times: dict[str, int] = {}
    while reader.at_word("start", "end"):
        word = reader.take().text.lower()
        reader.expect("=", f"after {word.upper()}")
        times[word] = reader.integer(word.upper(), least=0, most=10**15)
    return Source(
        names=tuple(names),
        prefixes=lists.get("prefixes", ()),
        accounts=lists.get("accounts", ()),
        group_class=group_class,
        start_ms=times.get("start"),
        end_ms=times.get("end"),
        at=(start, reader.end),
    )


def _groups(parser: Parser) -> tuple[dict[str, tuple[str, ...]], str]:
    reader = parser.reader
    lists: dict[str, tuple[str, ...]] = {}
    group_class = ""
    while not reader.accept(")"):
        word = reader.expect_name("namePrefix, accountIdentifiers or class")
        reader.expect(":", f"after {word.text}")
        name = word.text.lower()
        if name in _LISTS:
            lists[_LISTS[name]] = _texts(parser)
        elif name == "class":
            group_class = _text(parser)
        else:
            hint = "known: namePrefix, accountIdentifiers, class"
            raise wrong(f"logGroups does not know `{word.text}`", (word.start, word.end), hint)
        reader.accept(",")
    return lists, group_class


def _texts(parser: Parser) -> tuple[str, ...]:
    reader = parser.reader
    reader.expect("[", "before the names")
    found = [_text(parser)]
    while reader.accept(","):
        found.append(_text(parser))
    reader.expect("]", "after the names")
    return tuple(found)


def _text(parser: Parser) -> str:
    token = parser.reader.token
    if token.kind not in ("string", "name"):
        raise parser.reader.unexpected("a name in quotes")
    return parser.reader.take().text


def _source(_builder: Builder, step: Step) -> None:
    raise wrong("SOURCE can only be the first command", step.at)


@dataclass(frozen=True, slots=True)
class Join:
    """Two sides, their names and keys, and whether what finds no match stays."""

    outer: bool
    left: str
    right: str
    keys: tuple[Name, Name]
    query: Query


def _parse_join(parser: Parser) -> Join:
    reader = parser.reader
    start = reader.token.start
    options = {"type": "inner", "left": "", "right": ""}
    while reader.at_word(*options):
        word = reader.take().text.lower()
        reader.expect("=", f"after {word}")
        options[word] = reader.expect_name(f"a value for {word}").text
    at = (start, reader.end)
    if options["type"].lower() not in ("inner", "left"):
        raise wrong(f"join does not know the type `{options['type']}`", at, "inner or left")
    if not options["left"] or not options["right"] or options["left"] == options["right"]:
        hint = "as in join left=a right=b where a.id = b.id (SOURCE 'group')"
        raise wrong("join needs two different names, left= and right=", at, hint)
    reader.expect_word("where", "and the fields that have to be equal")
    first = parser.name()
    reader.expect("=", "between the two fields")
    keys = (first, parser.name())
    reader.expect("(", "and the other query")
    query = parser.query()
    reader.expect(")", "after the other query")
    return Join(
        options["type"].lower() == "left",
        options["left"],
        options["right"],
        _sides(options["left"], options["right"], keys),
        query,
    )


def _sides(left: str, right: str, keys: tuple[Name, Name]) -> tuple[Name, Name]:
    """Return the keys without the sides' names, the left one first."""
    found: dict[str, Name] = {}
    for key in keys:
        if len(key.path) < 2 or key.path[0] not in (left, right):
            raise wrong(f"`{key.text}` begins with neither `{left}.` nor `{right}.`", key.at)
        found[str(key.path[0])] = Name(key.path[1:], name_of(key.path[1:]), key.at)
    if len(found) != 2:
        raise wrong("both fields of the join are of the same side", keys[1].at)
    return found[left], found[right]


def _join(builder: Builder, step: Step) -> None:
    join: Join = step.details
    inner = builder.subquery(join.query)
    mine = builder.bind(values.text_of(builder, builder.field(join.keys[0])))
    theirs = inner.bind(values.text_of(inner, inner.field(join.keys[1])))
    inner.flush()
    builder.settle()
    builder.flush()
    table = builder.around.name("q")

    def other() -> str:
        return f"{table} AS ({inner.tables()} SELECT * FROM {inner.relation})"

    builder.before.append(other)
    kind = "LEFT" if join.outer else "INNER"
    builder.stage(f"SELECT * FROM {{from}} {kind} JOIN {table} ON {mine} = {theirs}")
    builder.order = [*builder.order, *inner.order]
    builder.places += [*inner.row, *inner.places] if inner.open else [theirs]
    builder.joined = {**builder.joined, join.left: None, join.right: inner}


COMMANDS: Final = (
    Command(
        name="join",
        syntax="join [type=inner|left] left=name right=name where name.field = name.field "
        "(SOURCE group | commands)",
        help="Puts the records of another query beside those with the same value; fields are then "
        "written with the name of their side.",
        example="filter status >= 500 | join left=api right=fn where api.requestId = fn.requestId "
        "(SOURCE '/aws/lambda/fn') | fields api.requestId, fn.duration",
        parse=_parse_join,
        compile=_join,
    ),
    Command(
        name="SOURCE",
        syntax='SOURCE "group", ... | SOURCE logGroups(namePrefix: ["a", ...])',
        help="Names the log groups, where the request names none; only as the first command.",
        example='SOURCE "/app/web" | filter level = "ERROR"',
        parse=_parse_source,
        compile=_source,
    ),
)
