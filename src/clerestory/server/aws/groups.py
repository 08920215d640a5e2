"""Log groups as views of the table `logs`: which rows are in one, and how a row looks as an event.

    operations, insights -> [groups] -> store

A group holds the events that PutLogEvents put there. Our own records are in groups, too, which
can only be read: `/clerestory/<service>`, with a stream for every process, `<host>/<pid>`.

Invariant: a row is in exactly one group. Names travel as parameters.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from clerestory.server.aws.names import OWN_PREFIX
from clerestory.server.store.embedded import Parameter

UNKNOWN_SERVICE: Final = "unknown_service"
_KNOWN: Final = "[^.\\\\-_/#A-Za-z0-9]"


def _shown(stored: str) -> str:
    """Return SQL for a stored text as it is read: without the quotes that keep its type."""
    return f"if(ascii({stored}) = 34, substring({stored}, 2, length({stored}) - 2), {stored})"


def _json(stored: str) -> str:
    """Return SQL for the JSON of a stored value (see store/decode)."""
    return (
        f"multiIf(ascii({stored}) = 34, "
        f"toJSONString(substring({stored}, 2, length({stored}) - 2)), "
        f"ascii({stored}) IN (45,48,49,50,51,52,53,54,55,56,57,91,123) OR {stored} = 'true' "
        f"OR {stored} = 'false' OR {stored} = 'null', {stored}, toJSONString({stored}))"
    )


def _member(name: str, column: str) -> str:
    return f"if({column} = '', '', concat(',\"{name}\":', toJSONString({column})))"


_TIME: Final = "concat(replaceOne(toString(toDateTime64(ts, 6, 'UTC')), ' ', 'T'), 'Z')"
_OWN_LINE: Final = (
    f'concat(\'{{"timestamp":"\', {_TIME}, \'","level":\', toJSONString(level), '
    f"{_member('logger', 'logger')}, ',\"message\":', toJSONString(message), "
    f"{_member('trace_id', 'trace_id')}, {_member('span_id', 'span_id')}, "
    f"arrayStringConcat(arrayMap((k, v) -> concat(',', toJSONString(k), ':', {_json('v')}), "
    "CAST(mapKeys(attrs), 'Array(String)'), mapValues(attrs))), '}')"
)

# An event's text: its bytes as they came, or a record of ours as its JSON line.
MESSAGE_SQL: Final = f"if(raw != '', raw, {_OWN_LINE})"
GROUP_SQL: Final = (
    f"if(log_group != '', toString(log_group), concat('{OWN_PREFIX}', "
    f"replaceRegexpAll(if(service = '', '{UNKNOWN_SERVICE}', toString(service)), '{_KNOWN}', '_')))"
)
_HOST: Final = _shown("resource['host.name']")
_PID: Final = _shown("resource['process.pid']")
STREAM_SQL: Final = (
    "if(log_group != '', toString(log_stream), replaceRegexpAll(concat("
    f"if({_HOST} = '', 'unknown_host', {_HOST}), if({_PID} = '', '', concat('/', {_PID}))), "
    "'[:*]', '_'))"
)


@dataclass(slots=True)
class Condition:
    """SQL that is true for the rows meant, and the parameters it names.

    Attributes:
        sql: The condition.
        parameters: Value of each `{name:Type}` in it.
        prefix: What the parameters' names begin with.
    """

    sql: str = "1"
    parameters: dict[str, Parameter] = field(default_factory=dict)
    prefix: str = "w"

    def text(self, value: str) -> str:
        """Return SQL that stands for a text."""
        return self._add(value, "String")

    def integer(self, value: int) -> str:
        """Return SQL that stands for a whole number."""
        return self._add(value, "Int64")

    def number(self, value: float) -> str:
        """Return SQL that stands for a number."""
        return self._add(value, "Float64")

    def _add(self, value: Parameter, kind: str) -> str:
        name = f"{self.prefix}{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"

    def texts(self, values: Iterable[str]) -> str:
        """Return SQL that stands for a list of texts."""
        return f"({', '.join(self.text(value) for value in values)})"


def is_own(group: str) -> bool:
    """Return whether a group is a view of our own records."""
    return group.startswith(OWN_PREFIX)


def stream_column(group: str) -> str:
    """Return SQL of the stream of a group's rows."""
    return STREAM_SQL if is_own(group) else "log_stream"


def event_column(group: str) -> str:
    """Return SQL of the text of a group's rows."""
    return MESSAGE_SQL if is_own(group) else "raw"


def scope_of(groups: Iterable[str]) -> tuple[str, dict[str, Parameter]]:
    """Return the condition of the rows in some groups, and its parameters.

    >>> scope_of(["shop"])
    ('(log_group IN ({g0:String}))', {'g0': 'shop'})
    """
    made = Condition(prefix="g")
    names = sorted(set(groups))
    put = [name for name in names if not is_own(name)]
    own = [name for name in names if is_own(name)]
    parts = [f"log_group IN {made.texts(put)}"] if put else []
    if own:
        services = [name.removeprefix(OWN_PREFIX) for name in own]
        # the engine asks this of the few different services, not of each row
        is_meant = f"replaceRegexpAll(service, '{_KNOWN}', '_') IN {made.texts(services)}"
        if UNKNOWN_SERVICE in services:
            is_meant = f"({is_meant} OR service = '')"
        parts.append(f"(log_group = '' AND {is_meant})")
    return f"({' OR '.join(parts) or '0'})", made.parameters
