r"""The command parse: fields out of a text, by glob, regular expression, logfmt or CSV.

    parser -> [commands] -> builder -> program

Invariant: a record that does not match stays, without the fields; a field's text is matched once
for all aliases.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import re
from dataclasses import dataclass
from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import Reader, wrong
from clerestory.server.insights.language.tree import Name, Place, Regex, Step
from clerestory.server.insights.registry import Command
from clerestory.server.insights.values import Sql

ALIASES_MAX: Final = 100

_MESSAGE: Final = ("@message",)
_GROUP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P?<(?![=!])([^>]*)>")
_LOOK_AROUND: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\(\?(?:[=!]|<[=!]))")
_OPEN_NAMED: Final = re.compile(r"\(\?<(?![=!])")


@dataclass(frozen=True, slots=True)
class Parse:
    """What to take out of which field.

    Attributes:
        field: The text's field.
        kind: `glob`, `regex`, `logfmt` or `csv`.
        pattern: The glob or the regular expression.
        aliases: Names of the new fields.
        multi: Whether every match makes a row.
        at: Place of the pattern.
    """

    field: Name
    kind: str
    pattern: str
    aliases: tuple[str, ...]
    multi: bool
    at: Place


def groups_of(pattern: str) -> list[str]:
    """Return the groups of a regular expression in order; an unnamed one is ''.

    >>> groups_of(r"(?<a>x)(y)[(](?:z)(?P<b>.)")
    ['a', '', 'b']
    """
    found = [one for one in _GROUP.finditer(pattern) if one.group().startswith("(")]
    return [one[1] or "" for one in found]


def look_around(pattern: str) -> str | None:
    """Return the first look-around of a regular expression."""
    for one in _LOOK_AROUND.finditer(pattern):
        if one[1]:
            return one[1]
    return None


def _parse(parser: Parser) -> Parse:
    reader = parser.reader
    start = reader.token.start
    field = Name(_MESSAGE, "@message", (start, start + 1))
    modes = ("logfmt", "csv")
    _refuse_json(reader)
    if reader.token.kind == "name" and not reader.at_word(*modes):
        field = parser.name()
        _refuse_json(reader)
    if reader.at_word(*modes):
        return _mode(parser, field)
    if reader.at("/"):
        return _regex(parser, field)
    if reader.token.kind != "string":
        raise reader.unexpected('a pattern, as in parse @message "user=*" as user')
    token = reader.take()
    at = (token.start, token.end)
    aliases = _aliases(parser)
    stars = token.text.count("*")
    if stars != len(aliases):
        message = f"the pattern has {stars} `*` and {len(aliases)} names behind `as`"
        raise wrong(message, at, "every `*` needs a name")
    if not stars:
        raise wrong("the pattern has no `*`", at)
    return Parse(field, "glob", token.text, aliases, False, at)


def _refuse_json(reader: Reader) -> None:
    if reader.at_word("json"):
        token = reader.token
        hint = "members of a JSON text are fields already; of another field use jsonParse(..)"
        raise wrong("parse json is not supported", (token.start, token.end), hint)


def _mode(parser: Parser, field: Name) -> Parse:
    token = parser.reader.take()
    kind = token.text.lower()
    aliases = _aliases(parser)
    at = (token.start, token.end)
    if not aliases:
        raise wrong(f"parse {kind} needs a name behind `as`", at)
    if kind == "logfmt" and len(aliases) > 1:
        raise wrong("parse logfmt gives one map: name it once", at, "as in parse logfmt as lf")
    return Parse(field, kind, "", aliases, False, at)


def _regex(parser: Parser, field: Name) -> Parse:
    node: Regex = parser.regex()
    aliases = _aliases(parser)
    multi = parser.reader.accept_word("multi")
    names = groups_of(node.pattern)
    if found := look_around(node.pattern):
        message = f"the regular expression has a look-around, `{found}`, which RE2 has not"
        raise wrong(message, node.at)
    if not names:
        hint = "as in /user=(?<user>[a-z]+)/"
        raise wrong("the regular expression of parse has no group", node.at, hint)
    if aliases and len(aliases) != len(names):
        message = f"the pattern has {len(names)} groups and {len(aliases)} names behind `as`"
        raise wrong(message, node.at)
    if not aliases and not all(names):
        hint = "write (?<name>..), or (?:..) for a group that is not taken, or `as` and the names"
        raise wrong("a group of the regular expression has no name", node.at, hint)
    pattern = _OPEN_NAMED.sub("(?P<", node.pattern)
    return Parse(field, "regex", pattern, aliases or tuple(names), multi, node.at)


def _aliases(parser: Parser) -> tuple[str, ...]:
    if not parser.reader.accept_word("as"):
        return ()
    names = [name.text for name in parser.names("a name for what is found")]
    if len(names) > ALIASES_MAX:
        token = parser.reader.token
        raise wrong(f"parse gives at most {ALIASES_MAX} fields", (token.start, token.start + 1))
    return tuple(names)


def glob_regex(glob: str) -> str:
    """Return the regular expression of a glob: each `*` is a group, the last one to the end.

    >>> glob_regex("a=*, b=*")
    '(?s)a=(.*?), b=(.*)'
    """
    pieces = glob.split("*")
    text = "(?s)"
    for index, piece in enumerate(pieces):
        text += re.sub(r"([^0-9A-Za-z_ ])", r"\\\1", piece) if piece.isascii() else _quoted(piece)
        if index < len(pieces) - 1:
            last = index == len(pieces) - 2 and not pieces[-1]
            text += "(.*)" if last else "(.*?)"
    return text.replace("\\=", "=").replace("\\,", ",")


def _quoted(text: str) -> str:
    return "".join(f"\\{x}" if x.isascii() and not (x.isalnum() or x in "_ ") else x for x in text)


def _compile(builder: Builder, step: Step) -> None:
    parse: Parse = step.details
    text = builder.bind(values.text_of(builder, builder.field(parse.field)))
    if parse.kind == "logfmt":
        _define_logfmt(builder, parse, text)
    elif parse.kind == "csv":
        _define_csv(builder, parse, text)
    else:
        _define_groups(builder, parse, text)


def _define_groups(builder: Builder, parse: Parse, text: str) -> None:
    pattern = glob_regex(parse.pattern) if parse.kind == "glob" else parse.pattern
    regex = builder.regex(pattern, parse.at)
    if parse.multi:
        all_groups = builder.bind(f"extractAllGroupsVertical(ifNull({text}, ''), {regex})")
        row, place = builder.around.name("e"), builder.around.name("i")
        rows = f"if(empty({all_groups}), [emptyArrayString()], {all_groups})"
        builder.settle()
        builder.stage(
            f"SELECT *, {row}, {place} FROM {{from}} ARRAY JOIN {rows} AS {row}, "
            f"arrayEnumerate({rows}) AS {place}"
        )
        builder.order = [*builder.order, f"{place} ASC"]
        builder.places.append(place)
        groups = row
    else:
        groups = builder.bind(f"extractGroups(ifNull({text}, ''), {regex})")
    matched = f"isNull({text}) OR empty({groups})"
    for index, alias in enumerate(parse.aliases, 1):
        builder.define(alias, Sql("text", f"if({matched}, NULL, {groups}[{index}])"))


def _define_logfmt(builder: Builder, parse: Parse, text: str) -> None:
    pairs = builder.bind(f"extractKeyValuePairs(ifNull({text}, ''), '=', ' ', '\"')")
    found = f"if(empty({pairs}), NULL, toJSONString({pairs}))"
    builder.define(parse.aliases[0], Sql("any", found))


def _define_csv(builder: Builder, parse: Parse, text: str) -> None:
    pattern = builder.parameter(',(?:"((?:[^"]|"")*)"|([^,]*))')
    cells = builder.bind(f"extractAllGroupsVertical(concat(',', ifNull({text}, '')), {pattern})")
    for index, alias in enumerate(parse.aliases, 1):
        cell = f"{cells}[{index}]"
        value = f"if({cell}[1] != '', replaceAll({cell}[1], '\"\"', '\"'), {cell}[2])"
        missing = f"isNull({text}) OR length({cells}) < {index}"
        builder.define(alias, Sql("text", f"if({missing}, NULL, {value})"))


COMMANDS: Final = (
    Command(
        name="parse",
        syntax='parse [field] "glob *" as name, ... | parse [field] /regex/ [as name, ...] [multi] '
        "| parse [field] logfmt as name | parse [field] csv as name, ...",
        help="Makes fields of parts of a text, @message unless said otherwise. In a glob every `*` "
        "is a field; in a regular expression every group, named `(?<name>..)` or behind `as`; with "
        "`multi` every match is a row. A record that does not match stays, without the fields.",
        example='parse @message "user=*, time:*" as user, time | stats avg(time) by user',
        parse=_parse,
        compile=_compile,
    ),
)
