"""Functions of texts.

    tree -> calls -> [functions] -> builder -> program

Invariant: a length and an index count characters, not bytes; a missing text gives a missing result.
"""

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Call, Literal, Regex
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql

_GROUP: Final = "Texts"
_BLANK: Final = "' \\t\\n\\r\\f\\v'"


def _plain(kind: str, template: str) -> Build:
    def build(_builder: Builder, _call: Call, *given: str) -> Sql:
        return Sql(kind, template.format(*given))

    return build


def _is_empty(builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("number", f"toFloat64(ifNull({values.shown_of(builder, value)}, '') = '')")


def _is_blank(builder: Builder, _call: Call, value: Sql) -> Sql:
    text = f"trimBoth(ifNull({values.shown_of(builder, value)}, ''), {_BLANK})"
    return Sql("number", f"toFloat64({text} = '')")


def _concat(_builder: Builder, _call: Call, *given: str) -> Sql:
    texts = ", ".join(f"ifNull({one}, '')" for one in given)
    return Sql("text", f"concat({texts}, '')")


def _trim(name: str) -> Build:
    def build(builder: Builder, call: Call, text: str, *characters: Literal) -> Sql:
        if not characters:
            return Sql("text", f"{name}({text}, {_BLANK})")
        wanted = characters[0].value
        if not isinstance(wanted, str):
            raise wrong(f"{call.name} wants the characters as text", characters[0].at)
        if not wanted:
            return Sql("text", text)
        return Sql("text", f"{name}({text}, {builder.parameter(wanted)})")

    return build


def _substr(builder: Builder, _call: Call, text: str, start: str, length: str = "") -> Sql:
    first = builder.bind(values.whole(f"least(greatest(trunc({start}), 0), 1e9)"))
    if not length:
        return Sql("text", f"substringUTF8({text}, {first} + 1)")
    count = builder.bind(values.whole(f"least(greatest(trunc({length}), 0), 1e9)"))
    return Sql("text", f"substringUTF8({text}, {first} + 1, {count})")


def _replace(builder: Builder, _call: Call, text: str, old: str, new: str) -> Sql:
    wanted = builder.bind(old)
    return Sql("text", f"if({wanted} = '', {text}, replaceAll({text}, {wanted}, {new}))")


def _regex_replace(builder: Builder, _call: Call, text: str, regex: Regex, new: str) -> Sql:
    pattern = builder.regex(regex.pattern, regex.at)
    return Sql("text", f"replaceRegexpAll({text}, {pattern}, {new})")


def _contains(builder: Builder, _call: Call, text: str, part: str, anyhow: str = "0") -> Sql:
    found = f"position({text}, {part}) > 0"
    folded = f"position(lowerUTF8({text}), lowerUTF8({part})) > 0"
    made = found if anyhow == "0" else f"if({anyhow}, {folded}, {found})"
    del builder
    return Sql("number", f"toFloat64(ifNull({made}, 0))")


def _hex_to_text(builder: Builder, _call: Call, text: str) -> Sql:
    held = builder.bind(f"replaceRegexpOne({text}, '^0[xX]', '')")
    good = f"match({held}, '^([0-9a-fA-F][0-9a-fA-F])*$')"
    return Sql("text", f"if({good}, toValidUTF8(unhex({held})), NULL)")


def _hex_to_number(builder: Builder, _call: Call, text: str) -> Sql:
    held = builder.bind(f"replaceRegexpOne({text}, '^0[xX]', '')")
    padded = f"reverse(unhex(leftPad(ifNull({held}, ''), 16, '0')))"
    made = f"toFloat64(reinterpretAsUInt64({padded}))"
    return Sql("number", f"if(match({held}, '^[0-9a-fA-F]{{1,16}}$'), {made}, NULL)")


def _number_to_hex(builder: Builder, _call: Call, number: str) -> Sql:
    held = builder.bind(f"trunc({number})")
    digits = f"lower(hex(accurateCastOrNull(abs({held}), 'UInt64')))"
    digits = f"if({held} = 0, '0', trimLeft({digits}, '0'))"
    made = f"concat(if({held} < 0, '-0x', '0x'), {digits})"
    return Sql("text", f"if(abs({held}) < 18446744073709551616., {made}, NULL)")


def _split(builder: Builder, _call: Call, text: str, delimiter: Literal) -> Sql:
    # the engine splits only by what is spelled out
    if not isinstance(delimiter.value, str):
        raise wrong("split wants a text as its delimiter", delimiter.at, "as in split(path, '/')")
    by = builder.parameter(delimiter.value)
    made = f"toJSONString(splitByString({by}, ifNull({text}, '')))"
    return Sql("any", f"if(isNull({text}), NULL, {made})")


def _function(
    name: str, parameters: tuple[str, ...], returns: str, about: tuple[str, str], build: Build
) -> Function:
    return Function(
        name=name,
        group=_GROUP,
        parameters=parameters,
        returns=returns,
        help=about[0],
        example=about[1],
        build=build,
    )


FUNCTIONS: Final = (
    _function(
        "isempty",
        ("value",),
        "number",
        ("1 if the field is missing or an empty text, else 0.", "isempty(user_id)"),
        _is_empty,
    ),
    _function(
        "isblank",
        ("value",),
        "number",
        ("1 if the field is missing, empty or only white space, else 0.", "isblank(user_id)"),
        _is_blank,
    ),
    _function(
        "concat",
        ("text", "text*"),
        "text",
        ("The texts one behind the other; a missing one is empty.", "concat(method, ' ', path)"),
        _concat,
    ),
    _function(
        "ltrim",
        ("text", "constant?"),
        "text",
        (
            "The text without white space, or without these characters, at its begin.",
            "ltrim('xyZxyfooxyZ', 'xyZ')",
        ),
        _trim("trimLeft"),
    ),
    _function(
        "rtrim",
        ("text", "constant?"),
        "text",
        (
            "The text without white space, or without these characters, at its end.",
            "rtrim('xyZfooxyxyZ', 'xyZ')",
        ),
        _trim("trimRight"),
    ),
    _function(
        "trim",
        ("text", "constant?"),
        "text",
        (
            "The text without white space, or without these characters, at both ends.",
            "trim('xyZxyfooxyxyZ', 'xyZ')",
        ),
        _trim("trimBoth"),
    ),
    _function(
        "strlen",
        ("text",),
        "number",
        ("How many characters the text has.", "strlen(@message)"),
        _plain("number", "toFloat64(lengthUTF8({0}))"),
    ),
    _function(
        "toupper",
        ("text",),
        "text",
        ("The text in upper case.", "toupper(level)"),
        _plain("text", "upperUTF8({0})"),
    ),
    _function(
        "tolower",
        ("text",),
        "text",
        ("The text in lower case.", "tolower(level)"),
        _plain("text", "lowerUTF8({0})"),
    ),
    _function(
        "substr",
        ("text", "number", "number?"),
        "text",
        (
            "The text from an index on, counted from 0, or so many characters of it.",
            "substr('xyZfooxyZ', 3, 3)",
        ),
        _substr,
    ),
    _function(
        "replace",
        ("text", "text", "text"),
        "text",
        (
            "The text with every occurrence of the second replaced by the third.",
            "replace(group, 'smoke_test', 'Smoke')",
        ),
        _replace,
    ),
    _function(
        "regexReplace",
        ("text", "regex", "text"),
        "text",
        (
            r"The text with every match of a regular expression (RE2) replaced; \1 is its group.",
            "regexReplace(path, /[0-9]+/, '<id>')",
        ),
        _regex_replace,
    ),
    _function(
        "strcontains",
        ("text", "text", "bool?"),
        "number",
        (
            "1 if the first text contains the second, else 0; with true in any case of letters.",
            "strcontains(@message, 'timeout', true)",
        ),
        _contains,
    ),
    _function(
        "startsWith",
        ("text", "text"),
        "number",
        ("1 if the first text begins with the second, else 0.", "startsWith(path, '/api')"),
        _plain("number", "toFloat64(ifNull(startsWith({0}, {1}), 0))"),
    ),
    _function(
        "endsWith",
        ("text", "text"),
        "number",
        ("1 if the first text ends with the second, else 0.", "endsWith(path, '.js')"),
        _plain("number", "toFloat64(ifNull(endsWith({0}, {1}), 0))"),
    ),
    _function(
        "urlencode",
        ("text",),
        "text",
        ("The text as part of a URL.", "urlencode('a b')"),
        _plain("text", "encodeURLComponent({0})"),
    ),
    _function(
        "urldecode",
        ("text",),
        "text",
        ("What a part of a URL stands for.", "urldecode('a%20b')"),
        _plain("text", "toValidUTF8(decodeURLComponent({0}))"),
    ),
    _function(
        "base64encode",
        ("text",),
        "text",
        ("The text in Base64.", "base64encode('foo')"),
        _plain("text", "base64Encode({0})"),
    ),
    _function(
        "base64decode",
        ("text",),
        "text",
        ("What a text in Base64 stands for; empty if it is none.", "base64decode('Zm9v')"),
        _plain("text", "toValidUTF8(tryBase64Decode({0}))"),
    ),
    _function(
        "split",
        ("text", "constant"),
        "value",
        ("The parts of a text between delimiters, as a list.", "split(path, '/')"),
        _split,
    ),
    _function(
        "hexToAscii",
        ("text",),
        "text",
        ("The text that hexadecimal digits stand for.", "hexToAscii('48656c6c6f')"),
        _hex_to_text,
    ),
    _function(
        "hexToDec",
        ("text",),
        "number",
        ("The number that hexadecimal digits stand for, with or without 0x.", "hexToDec('0xff')"),
        _hex_to_number,
    ),
    _function(
        "decToHex",
        ("number",),
        "text",
        ("The whole number in hexadecimal, with 0x before it.", "decToHex(255)"),
        _number_to_hex,
    ),
)
