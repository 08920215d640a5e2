"""Bulk requests for Elasticsearch and OpenSearch, fields named as the Elastic Common Schema does.

    batch -> [elasticsearch] -> exchange ~~> POST /<stream>/_bulk

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk and
https://www.elastic.co/docs/reference/ecs. Names with dots are one object path to both products.

Invariant: `_id` is the record's identity, so a batch that comes twice is stored once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from clerestory.wire.line import iso_time
from clerestory.wire.record import fields_of, stacktrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_encode = msgspec.json.encode

_NAMES: Final = {
    "logger": "log.logger",
    "module": "log.origin.file.name",
    "funcName": "log.origin.function",
    "lineno": "log.origin.file.line",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "exception.type": "error.type",
}
_RESOURCE_NAMES: Final = {
    "deployment.environment.name": "service.environment",
    "service.instance.id": "service.node.name",
    "process.runtime.version": "service.runtime.version",
}
# Field sets of ECS 9: a plain value under one of these names would clash with its object.
_FIELD_SETS: Final = frozenset(
    """
    agent as client cloud container data_stream destination device dll dns ecs email error event
    faas file geo group hash host http interface labels log network observer orchestrator
    organization os package pe process registry related risk rule server service source span
    threat tls trace transaction url user user_agent vlan volume vulnerability x509
    """.split()  # noqa: SIM905  a table of names reads better as words
)
_OWN: Final = frozenset(("@timestamp", "tags", *_NAMES.values(), "log.level"))
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9_.]+")


def document(line: bytes) -> dict[str, Any]:
    """Return a record as ECS names its fields, without what its batch has in common.

    A plain value whose name belongs to one of ECS's objects becomes a label.

    >>> document(b'{"timestamp":1795314823428724290,"level":"INFO","message":"m","user":7}')
    {'@timestamp': '2026-11-22T02:33:43.428724290Z', 'log.level': 'info', 'message': 'm', \
'labels.user': 7}
    """
    fields = fields_of(line)
    level = str(fields.pop("level", "INFO")).lower()
    found = {"@timestamp": iso_time(fields.pop("timestamp")), "log.level": level}
    exception = fields.pop("exception", None)
    for name, value in fields.items():
        if name in _NAMES:
            found[_NAMES[name]] = value
        elif name in _OWN or (name in _FIELD_SETS and not isinstance(value, dict)):
            found[f"labels.{name}"] = value
        else:
            found[name] = value
    if exception is not None:
        found["error.stack_trace"] = stacktrace(exception)
        if isinstance(exception, dict):
            found["error.message"] = str(exception.get("message", ""))
    return found


def encode(
    records: Iterable[tuple[str, bytes]],
    resource: Mapping[str, Any],
    *,
    action: Literal["create", "index"],
) -> bytes:
    """Return a bulk body: an action and a document for each record.

    Args:
        records: Identity and line of each.
        resource: What they have in common.
        action: `create` for data streams, `index` elsewhere.
    """
    common = {_RESOURCE_NAMES.get(name, name): value for name, value in resource.items()}
    common["ecs.version"] = "9.0.0"
    tail = b"," + _encode(common)[1:] + b"\n"
    head = b'{"%b":{"_id":' % action.encode()
    parts: list[bytes] = []
    for identity, line in records:
        fields = document(line)
        parts += (head, _encode(identity), b"}}\n")
        if common.keys().isdisjoint(fields):
            parts += (_encode(fields)[:-1], tail)
        else:  # the same name twice in one document is an error to both products
            parts += (_encode(common | fields), b"\n")
    return b"".join(parts)


def stream_of(resource: Mapping[str, Any]) -> str:
    """Return the data stream of a program: `logs-<service>-<environment>`.

    >>> stream_of({"service.name": "My-Shop", "deployment.environment.name": "test"})
    'logs-my_shop-test'
    >>> stream_of({})
    'logs-generic-default'
    """
    service = str(resource.get("service.name") or "generic").lower()
    space = str(resource.get("deployment.environment.name") or "default").lower()
    names = [_NOT_IN_A_NAME.sub("_", name)[:100] for name in (service, space)]
    return "logs-{}-{}".format(*names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What happened to one document.

    Attributes:
        index: Which one, from 0.
        status: As HTTP's.
        reason: Empty if it was stored.
    """

    index: int
    status: int
    reason: str


def decode_answer(body: bytes) -> list[Item]:
    """Return the documents that were not stored.

    A version conflict says that the document is stored already.

    Raises:
        ValueError: The body is no answer to a bulk request.
    """
    try:
        answer = msgspec.json.decode(body)
        if not answer["errors"]:
            return []
        outcomes = [next(iter(item.values())) for item in answer["items"]]
        return [
            Item(index=index, status=int(outcome["status"]), reason=_reason(outcome))
            for index, outcome in enumerate(outcomes)
            if outcome["status"] >= 300 and outcome["status"] != 409
        ]
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f"no answer to a bulk request: {type(error).__name__}") from error


def _reason(outcome: Mapping[str, Any]) -> str:
    error = outcome.get("error")
    if not isinstance(error, dict):
        return f"status {outcome['status']}"
    return f"{error.get('type', 'error')}: {error.get('reason', '')}"[:500]
