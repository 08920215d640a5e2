"""Check a request's members against the service's model.

    endpoint -> [shapes] -> operations

The models are `logs.json` and `xray.json`, written from botocore by tools/aws_tables.py.

Invariant: what reaches an operation has the types and keeps the limits that the model states.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from clerestory.server.aws.errors import PAGE, AwsError, invalid, unsupported

NAME_TOO_LONG: Final = (
    "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
)
_SHOWN_CHARACTERS_MAX: Final = 2048
_SPACES: Final = "\\u0020\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "timestamp": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
_JSON_NAMES: Final = {
    str: "STRING_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    bool: "TRUE_VALUE",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}


class Model:
    """What a service's model says of its operations and of what they take.

    Attributes:
        tables: The file's content.
    """

    def __init__(self, file: str, *, page: str = PAGE, strict: bool = False) -> None:
        """Read the tables of a file.

        Args:
            file: Its name; it stands beside this one.
            page: What errors point to.
            strict: Refuse members that the model does not know inside of others, too.
        """
        content = Path(__file__).with_name(file).read_bytes()
        self.tables: dict[str, Any] = msgspec.json.decode(content)
        self._shapes: dict[str, dict[str, Any]] = self.tables["shapes"]
        self._page = page
        self._strict = strict

    def check(self, operation: str, given: Any) -> dict[str, Any]:
        """Return the members of a request that are not null.

        Raises:
            AwsError: A member has the wrong type, breaks a limit or is not known here.
        """
        if not isinstance(given, dict):
            raise _wrong_type(given, "structure")
        shape = self._shapes[self.tables["operations"][operation]["input"]]
        for name in given:
            if name not in shape.get("members", {}):
                raise unsupported(operation, name[:100], page=self._page)
        # what is wrong with an entity does not keep its events out: the answer tells it
        asked = {name: value for name, value in given.items() if name != "entity"}
        found = list(self._broken(shape, asked, ""))
        if found:
            if any(one.startswith(NAME_TOO_LONG) for one in found):
                raise invalid(NAME_TOO_LONG)
            many = "s" if len(found) > 1 else ""
            raise invalid(f"{len(found)} validation error{many} detected: {'; '.join(found)}")
        return {name: value for name, value in given.items() if value is not None}

    def fits(self, name: str, value: Any) -> bool:
        """Return whether a value keeps the rules of a shape."""
        try:
            return not any(self._broken(self._shapes[name], value, name))
        except AwsError:
            return False

    def _broken(self, shape: dict[str, Any], value: Any, path: str) -> Iterator[str]:
        """Yield what a value breaks, in AWS's words."""
        kind = shape["type"]
        if not _is(value, _KINDS[kind]):
            raise _wrong_type(value, kind)
        yield from _out_of_limits(shape, value, path)
        if kind == "structure":
            yield from self._broken_members(shape, value, path)
        elif kind == "list":
            part = self._shapes[shape["member"]]
            for number, one in enumerate(value, 1):
                yield from self._broken(part, one, f"{path}.{number}.member")
        elif kind == "map":
            key_shape, value_shape = self._shapes[shape["key"]], self._shapes[shape["value"]]
            for key, one in value.items():
                yield from _out_of_limits(key_shape, key, f"{path}.{key[:40]}.key")
                yield from self._broken(value_shape, one, f"{path}.{key[:40]}.member")

    def _broken_members(
        self, shape: dict[str, Any], value: dict[str, Any], path: str
    ) -> Iterator[str]:
        before = f"{path}." if path else ""
        for name in shape.get("required", ()):
            if value.get(name) is None:
                at = f"{before}{name}"
                yield f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
        members = shape.get("members", {})
        if self._strict:
            unknown = (name for name in value if name not in members)
            yield from (f"'{before}{name[:100]}' is no member that is known" for name in unknown)
        for name, part in members.items():
            if value.get(name) is not None:
                yield from self._broken(self._shapes[part], value[name], f"{before}{name}")


def _is(value: Any, wanted: tuple[type, ...]) -> bool:
    return isinstance(value, wanted) and (not isinstance(value, bool) or bool in wanted)


def _out_of_limits(shape: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    is_number = isinstance(value, int | float)
    if shape["type"] == "boolean" or (shape["type"] == "structure"):
        return
    what, measured = ("value", value) if is_number else ("length", len(value))
    if "min" in shape and measured < shape["min"]:
        yield _told(value, path, f"have {what} greater than or equal to {shape['min']}")
    if "max" in shape and measured > shape["max"]:
        if path in ("logGroupName", "logStreamName"):
            yield NAME_TOO_LONG
        yield _told(value, path, f"have {what} less than or equal to {shape['max']}")
    if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(_bare(value, path)):
        yield _told(value, path, f"satisfy regular expression pattern: {shape['pattern']}")
    if "enum" in shape and value not in shape["enum"]:
        yield _told(value, path, f"satisfy enum value set: [{', '.join(shape['enum'])}]")


def _bare(value: str, path: str) -> str:
    """Return a value without the `:*` of the ARN that DescribeLogGroups gives for a group."""
    return value.removesuffix(":*") if path.startswith("logGroupIdentifier") else value


def _told(value: Any, path: str, constraint: str) -> str:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    shown = shown[:_SHOWN_CHARACTERS_MAX]
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {constraint}"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern of the model, whose Unicode classes Python writes in another way."""
    text = text.replace(r"\p{L}\p{Z}\p{N}", rf"\w{_SPACES}")
    return re.compile(text)


def _wrong_type(value: Any, kind: str) -> AwsError:
    got = "null" if value is None else _JSON_NAMES.get(type(value), "value")
    return AwsError("SerializationException", f"{got} can not be converted to a {kind}")


LOGS: Final = Model("logs.json")
TABLES: Final = LOGS.tables
TARGET: Final = f"{TABLES['target']}."
check: Final = LOGS.check
fits: Final = LOGS.fits
