"""What values mean in the language: printed, as numbers, compared; and the functions of them.

The interpreter is built on this; nothing here knows of the store or of SQL.
"""

import hashlib
import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Time:
    ms: int


@dataclass(frozen=True)
class Json:
    text: str

    @property
    def value(self) -> Any:
        return json.loads(self.text, parse_float=str, parse_int=str)


def dump(value: Any) -> str:
    # a number that is written 2.5e+30 is 2.5e30 in the store
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("e+", "e")


def plain(value: Any) -> Any:
    """Return what a member of a JSON object is as a field's value."""
    if value is None or isinstance(value, str):
        return value
    return Json(dump(value)) if isinstance(value, dict | list) else dump(value)


def own_event(record: Mapping[str, Any], base_ms: int, service: str) -> dict[str, Any]:
    """Return the fields of a record of ours."""
    ms = base_ms + record.get("at", 0)
    whole = {"level": "INFO", "logger": "app", "message": "", **record}
    rest = {
        name: value
        for name, value in whole.items()
        if name not in ("at", "level", "logger", "message", "trace_id", "span_id")
    }
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
    line = {"timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    line |= {name: whole[name] for name in ("level", "logger", "message")}
    event = {name: plain(value) for name, value in {**line, **rest}.items()}
    del event["timestamp"]
    return {
        **event,
        "service": service,
        "service.name": service,
        "host.name": "host-1",
        "@timestamp": Time(ms),
        "@message": dump({**line, **rest}),
    }


def sent_event(at: int, text: str, base_ms: int) -> dict[str, Any]:
    """Return the fields of an event of PutLogEvents."""
    try:
        found = json.loads(text) if text.startswith("{") else {}
    except ValueError:
        found = {}
    event = {name: plain(value) for name, value in found.items()}
    return {**event, "@timestamp": Time(base_ms + at), "@message": text}


def number_text(x: float) -> str:
    if x == math.trunc(x) and abs(x) < 1e15:
        return str(int(x))
    digits = repr(abs(x))
    mantissa, _, exponent = digits.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" and exponent else fraction
    power = int(exponent or 0)
    number = (whole + fraction).lstrip("0") or "0"
    point = len(whole) + power - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    number = number.rstrip("0") or "0"
    sign = "-" if x < 0 else ""
    if -6 < point <= 21:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{number}"
        if point >= len(number):
            return sign + number + "0" * (point - len(number))
        return f"{sign}{number[:point]}.{number[point:]}"
    rest = "." + number[1:] if len(number) > 1 else ""
    return f"{sign}{number[0]}{rest}e{point - 1}"


def shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, Time):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value.ms)
        return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.ms % 1000:03}"
    return str(value.text)


def text(value: Any) -> str | None:
    return None if isinstance(value, Json) else shown(value)


def number(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, float):
        return value
    if isinstance(value, Time):
        return float(value.ms)
    found = text(value)
    if found is None or not NUMBER.fullmatch(found.strip(" ")):
        return None
    made = float(found)
    return made if math.isfinite(made) else None


def truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value is None:
        return False
    return value == "true" or bool(number(value))


def encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def compare(op: str, left: Any, right: Any) -> bool:
    if left is None or right is None or isinstance(left, Json) or isinstance(right, Json):
        return False
    is_number = any(isinstance(x, float) and not isinstance(x, bool) for x in (left, right))
    numbers = number(left), number(right)
    both = numbers[0] is not None and numbers[1] is not None
    if is_number and not both:
        return False
    if op in ("=", "!="):
        if is_number:
            same = numbers[0] == numbers[1]
        else:
            same = text(left) == text(right)
            is_bool = isinstance(left, bool) or isinstance(right, bool)
            if both and not is_bool and abs(numbers[0] or 0.0) < 2**53:
                same = same or numbers[0] == numbers[1]
        return same == (op == "=")
    sides: tuple[Any, Any] = numbers
    if not is_number and (not both or isinstance(left, bool) or isinstance(right, bool)):
        sides = encoded(text(left) or ""), encoded(text(right) or "")
    return bool(ORDERS[op](*sides))


ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def arithmetic(op: str, left: Any, right: Any) -> float | None:
    a, b = number(left), number(right)
    if a is None or b is None or (op in "/%" and b == 0):
        return None
    if op == "%" and abs(a / b) >= 2**51:
        return None
    try:
        made = {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "%": lambda: math.fmod(a, b),
            "^": lambda: math.pow(a, b),
        }[op]()
    except (OverflowError, ValueError, ZeroDivisionError):
        return None
    return finite(made)


def inside(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path in a map or a list."""
    if not isinstance(value, Json):
        return None
    found = json.loads(value.text)
    for part in path:
        if isinstance(found, list) and str(part).isdigit():
            found = found[int(part)] if int(part) < len(found) else None
        elif isinstance(found, dict):
            found = found.get(str(part))
        else:
            return None
    return plain(found)


def on_text(make: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        texts = [text(value) for value in values]
        return None if None in texts else make(*texts)

    return call


def on_number(make: Callable[..., float | None]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        numbers = [number(value) for value in values]
        if None in numbers:
            return None
        try:
            return finite(make(*numbers))
        except (ValueError, OverflowError):
            return None

    return call


def rounded(x: float, digits: float = 0.0) -> float:
    scale = 10.0 ** max(min(math.trunc(digits), 15), -15)
    return (-1 if x < 0 else 1) * math.floor(abs(x) * scale + 0.5) / scale


def sub_text(*values: Any) -> str | None:
    subject, start = text(values[0]), number(values[1])
    length = number(values[2]) if len(values) > 2 else 10.0**9
    if subject is None or start is None or length is None:
        return None
    first, count = max(int(start), 0), max(int(length), 0)
    return subject[first : first + count]


def case(*values: Any) -> Any:
    for index in range(0, len(values) - 1, 2):
        if truth(values[index]):
            return values[index + 1]
    return values[-1] if len(values) % 2 else None


def contained(*values: Any) -> float:
    first, second = text(values[0]), text(values[1])
    if first is None or second is None:
        return 0.0
    if len(values) > 2 and truth(values[2]):
        first, second = first.lower(), second.lower()
    return float(second in first)


def begins(*values: Any) -> float:
    return float(on_text(lambda a, b: a.startswith(b))(*values) or False)


def ends(*values: Any) -> float:
    return float(on_text(lambda a, b: a.endswith(b))(*values) or False)


def extreme(pick: Callable[..., float]) -> Callable[..., float | None]:
    def call(*values: Any) -> float | None:
        numbers = [one for one in map(number, values) if one is not None]
        return pick(numbers) if numbers else None

    return call


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: float((shown(value) or "") == ""),
    "isblank": lambda value: float((shown(value) or "").strip(" \t\n\r\f\v") == ""),
    "isnumeric": lambda value: number(value) is not None,
    "if": lambda condition, then, otherwise: then if truth(condition) else otherwise,
    "case": case,
    "abs": on_number(abs),
    "ceil": on_number(lambda x: float(math.ceil(x))),
    "floor": on_number(lambda x: float(math.floor(x))),
    "sqrt": on_number(math.sqrt),
    "round": on_number(rounded),
    "greatest": extreme(max),
    "least": extreme(min),
    "tonumber": on_number(lambda x: x),
    "toint": on_number(lambda x: float(math.trunc(x)) if -(2**31) <= x < 2**31 else math.inf),
    "concat": lambda *values: "".join(text(value) or "" for value in values),
    "strlen": on_text(lambda x: float(len(x))),
    "tolower": on_text(str.lower),
    "toupper": on_text(str.upper),
    "trim": on_text(lambda x, y=" \t\n\r\f\v": x.strip(y)),
    "ltrim": on_text(lambda x, y=" \t\n\r\f\v": x.lstrip(y)),
    "rtrim": on_text(lambda x, y=" \t\n\r\f\v": x.rstrip(y)),
    "substr": sub_text,
    "replace": on_text(lambda x, old, new: x.replace(old, new) if old else x),
    "strcontains": contained,
    "startswith": begins,
    "endswith": ends,
    "messagesize": on_text(lambda x: float(len(encoded(x)))),
    "md5": on_text(lambda x: hashlib.md5(encoded(x), usedforsecurity=False).hexdigest()),
    "tomillis": number,
}
