"""From what `store` is given to a line of the same form as on the road.

    store(level, message, ...) -> [line] -> file, database, destination

Invariant: a secret is masked by its name and by its look before the line is kept anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerestory import context
from clerestory.model.severity import is_known, number_surely
from clerestory.process.lines import emission, own_line
from clerestory.process.redaction import ValueRules, marker
from clerestory.process.values import safe_str
from clerestory.wire.line import RESERVED, rename

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_NAMES = frozenset(
    {"exception", "exception.type", "trace_id", "span_id", "log.record.template"}
)


def stored_line(level: object, message: object, fields: Mapping[str, Any]) -> bytes:
    """Return one line with its line feed; never raises.

    Args:
        level: A member, a name or a number; an unknown one becomes WARNING and is kept in the
            field `field.level`.
        message: Any value; its text is kept.
        fields: Any values. `logger` is the logger's name; the fields of the context in force are
            added.
    """
    rules = emission()
    kept = dict(context.get())
    if not is_known(level):
        kept[rename("level")] = safe_str(level, 64)
    logger = "storage"
    for key, value in fields.items():
        rule = rules.names.learn(key)
        if key == "logger":
            logger = safe_str(value, 1024)
        elif rule is not None and value is not None:
            kept[key] = marker(rule)
        else:
            kept[rename(key) if key in RESERVED - _OWN_NAMES else key] = value
    line = own_line(logger, number_surely(level), safe_str(message, rules.limits.chars), kept)
    return ValueRules(rules.names, enabled=rules.names.enabled).lines(line)
