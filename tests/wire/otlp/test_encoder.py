"""Lines encoded together come out as each does alone, in their order."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from clerestory.delivery.port import Batch
from clerestory.wire.otlp import encoder
from clerestory.wire.otlp.encoder import Encoder
from clerestory.wire.otlp.logs import LOGS
from clerestory.wire.otlp.shape import Shape
from clerestory.wire.otlp.traces import SPANS, kind_of
from clerestory.wire.record import fields_of
from tests.support.batches import EXCEPTION, RESOURCE, SPAN, TRACE, line, span_line

PENDING = {"span.pending": True}
VALUES = st.one_of(
    st.sampled_from(["", "x", '\u00e9\n"', 0, 1, 127, 128, 16383, 16384, 2**21, 2**63 - 1, 2**63]),
    st.sampled_from(
        [-1, -(2**63), 2**70, 0.0, -0.0, 1.0, 1.5e300, True, False, None, [1], [1.0], {"a": [1]}]
    ),
    st.text(max_size=200),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
FIELDS = st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES, "\u00fc": VALUES})
IDS = st.sampled_from([TRACE, TRACE.upper(), "0" * 32, "z" * 32, "abc", "", None, 7])
LOG = st.builds(
    lambda text, logger, level, place, fields, own: json.dumps(
        {"timestamp": 10**18 + len(text), "level": level, "logger": logger}
        | place
        | {"message": text}
        | own
        | fields,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode(),
    VALUES.filter(lambda value: type(value) is str),
    st.sampled_from(["shop", "shop.orders", "", None, 3]),
    st.sampled_from(["INFO", "ERROR", "NOTICE"]),
    st.sampled_from([{}, {"module": "m", "funcName": "f", "lineno": 3}, {"lineno": True}]),
    FIELDS,
    st.one_of(
        st.just({}),
        st.builds(lambda value: {"trace_id": value, "span_id": SPAN}, IDS),
        st.sampled_from([{"exception": EXCEPTION}, {"kind": "span "}, {"stack": "s"}]),
    ),
)
SPAN_LINE = st.builds(
    lambda name, kind, fields, own: span_line(name, **{"span.kind": kind} | own | fields),
    st.text(max_size=20),
    st.sampled_from(["internal", "server", "nonsense"]),
    FIELDS,
    st.one_of(
        st.just({}),
        st.builds(lambda value: {"trace_id": value, "parent_span_id": SPAN}, IDS),
        st.sampled_from(
            [
                *({"span.status": "error", "span.status_message": "no"}, {"duration_ns": -1}),
                *({"duration_ns": 2**64}, {"at": 2**64 - 1}, {"at": -5}, {"at": "soon"}, PENDING),
                *({"span.events": [{"name": "e", "timestamp": 1}]}, {"span.status": "ok"}),
                {"log.record.uid": "mine"},
            ]
        ),
    ),
)
DAMAGED = st.one_of(
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"")),
    SPAN_LINE.map(lambda raw: raw[:-7]),
    LOG.map(lambda raw: raw.replace(b":", b":\xff", 1)),
)
LINES = st.lists(st.one_of(LOG, LOG, SPAN_LINE, SPAN_LINE, DAMAGED, st.just(b"")), max_size=12)
KNOWING = Encoder()


def batch_of(lines, first=0):
    text = b"".join(one + b"\n" for one in lines)
    return Batch(spool_id="s", first=first, count=len(lines), lines=text, resource=RESOURCE)


def read(exports):
    """Return kind, scope and record of all that was encoded, and check the counts."""
    logs, spans = exports
    found: list[tuple[str, str, Any]] = [
        ("log", scope.scope.name, record)
        for group in ExportLogsServiceRequest.FromString(logs.body).resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
    ]
    assert len(found) == logs.count
    found += [
        ("span", scope.scope.name, span)
        for group in ExportTraceServiceRequest.FromString(spans.body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert len(found) == logs.count + spans.count
    return found


def alone(number, text):
    """Return kind, scope and record of one line, or None."""
    fields = fields_of(text)
    kind = kind_of(text, fields)
    if kind == "pending":
        return None
    scope, content = {"log": LOGS, "span": SPANS}[kind].alone(fields)
    message: Any = {"log": LogRecord, "span": Span}[kind]
    record = message.FromString(content)
    record.attributes.add(key="log.record.uid").value.string_value = f"s:{number}"
    return kind, scope, record


def by_scope(found):
    """Return the records of each scope, in order; the order of attributes says nothing."""
    groups: dict[tuple[str, str], list[bytes]] = {}
    for kind, scope, record in found:
        attributes = sorted(record.attributes, key=lambda one: one.key)
        del record.attributes[:]
        record.attributes.extend(attributes)
        groups.setdefault((kind, scope), []).append(record.SerializeToString(deterministic=True))
    return groups


def expected(lines, first=0):
    return by_scope(filter(None, (alone(n, one) for n, one in enumerate(lines, first) if one)))


@settings(deadline=None, max_examples=300)
@given(LINES, st.randoms(), st.integers(0, 1100))
def test_lines_of_any_kind_and_order_come_out_as_each_does_alone(lines, random, first):
    """What is learned from earlier lines is a matter of speed alone, and so is what is beside one.

    The encoder knows the shapes of all examples before, and every line comes several times.
    """
    many = lines * 3
    random.shuffle(many)

    found = read(KNOWING.encode(batch_of(many, first)))

    assert by_scope(found) == expected(many, first)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["a", "b"])), min_size=1, max_size=8))
@example([([1], 0.0, "a"), ([1.0], -0.0, "a"), ([True], 0.0, "a")])
def test_values_of_any_kinds_side_by_side_come_out_as_each_does_alone(rows):
    """One call gives a number now, a text then, and what equals another value is not always it."""
    lines = [
        one.replace(b"shop.orders", scope.encode())
        for a, b, scope in rows
        for one in (line("m", a=a, b=b), span_line("s", a=a, b=b))
    ]
    KNOWING.encode(batch_of([line("m", a=1, b=1), span_line("s", a=1, b=1)] * 4))

    found = read(KNOWING.encode(batch_of(lines)))

    assert by_scope(found) == expected(lines)


@settings(deadline=None)
@given(LINES, st.integers(0, 40))
def test_logs_before_a_line_are_left_out_and_spans_are_not(lines, start):
    """A receiver took the logs of a batch, and not yet its spans; the batch comes again."""
    many = lines * 3
    wanted = expected([one for one in many if one])

    found = by_scope(read(KNOWING.encode(batch_of(many, 5), start)))

    logs = expected([b"" if n < start else one for n, one in enumerate(many)], 5)
    spans = expected(many, 5)
    assert {key: value for key, value in found.items() if key[0] == "log"} == {
        key: value for key, value in logs.items() if key[0] == "log"
    }
    assert {key: value for key, value in found.items() if key[0] == "span"} == {
        key: value for key, value in spans.items() if key[0] == "span"
    }
    assert set(found) <= set(wanted)


def test_slices_of_a_long_batch_keep_numbers_and_order(monkeypatch):
    """Lines are encoded some hundred at a time; the number of each is the one in its spool."""
    lines = [
        (line(f"m {n}", n=n), span_line(f"s {n}"), line("e", exception=EXCEPTION), b"")[n % 4]
        for n in range(2000)
    ]
    monkeypatch.setattr(encoder, "_TOGETHER", 100)

    found = read(Encoder().encode(batch_of(lines, 9_500)))

    assert by_scope(found) == expected(lines, 9_500)


@pytest.mark.parametrize(
    ("signal", "one"),
    [
        (LOGS, line("m", a="x", n=3, f=1.5, t=True, z=None, o={"a": 1}, trace_id=TRACE)),
        (LOGS, line("\\u00e9\\n", exception=EXCEPTION)),
        (SPANS, span_line("m", a="x", n=3, f=1.5, parent_span_id=SPAN, **{"span.status": "ok"})),
    ],
)
def test_a_shape_writes_rows_without_help(signal, one):
    """Otherwise the tests above would compare writing alone with itself."""

    def fail(_fields):
        raise AssertionError

    fields = fields_of(one)
    shape = Shape(replace(signal, alone=fail), tuple(fields))

    (group,) = shape.encode(b"s:", [7, 8], [shape.decode(one), shape.decode(one)])

    assert group[0] == (signal.kind, "shop.orders")
    assert group[1] == [7, 8]
    assert len(group[2]) == 2


def test_the_shape_of_a_line_is_learned_after_some_and_then_expected():
    """Learning takes as long as to write some lines alone."""
    one = line("m", learned=1)
    knowing = Encoder()

    knowing.encode(batch_of([one] * 3))
    assert not knowing._shapes
    knowing.encode(batch_of([one] * 3))

    (shape,) = knowing._shapes.values()
    assert shape.following is shape
    assert shape.decode(one)


def test_what_is_learned_has_limits():
    """A program may give every line other names."""
    knowing = Encoder()

    for n in range(600):
        named: dict[str, Any] = {f"name {n}": 1}
        knowing.encode(batch_of([line(f"m {n}", **named)] * 5))
    lines = [line("m").replace(b"lineno", b"line %d" % n) for n in range(3000)]
    knowing.encode(batch_of(lines))

    assert len(knowing._shapes) <= 256
    assert len(knowing._known) <= 1024
    assert len(knowing._seen) <= 1025


def test_a_log_that_holds_a_spans_mark_in_an_object_is_a_log():
    """Only a line's own kind counts."""
    lines = [line("m", about={"kind": "span"}), line('"kind":"span"'), span_line("s", a="x")]

    found = read(Encoder().encode(batch_of(lines * 8)))

    assert [kind for kind, _, _ in found] == ["log"] * 16 + ["span"] * 8


@pytest.mark.parametrize("kinds", [(b"span", b"event"), (b"event", b"span")])
def test_a_line_of_another_kind_with_the_same_members_is_told_apart(kinds):
    """What was learned of spans says nothing of what another program calls events."""
    lines = [span_line("s", a="x").replace(b'"kind":"span"', b'"kind":"%b"' % one) for one in kinds]
    knowing = Encoder()

    knowing.encode(batch_of(lines[:1] * 8))
    found = read(knowing.encode(batch_of(lines * 4)))

    assert by_scope(found) == expected(lines * 4)
    assert {kind for kind, _, _ in found} == {"log", "span"}


def test_a_span_that_ran_is_not_sent_and_its_neighbours_are():
    """Its end comes by itself."""
    lines = [span_line("a", **PENDING), span_line("b"), span_line("c", **{"span.pending": False})]

    found = read(Encoder().encode(batch_of(lines * 8)))

    assert [span.name for _, _, span in found] == ["b", "c"] * 8
