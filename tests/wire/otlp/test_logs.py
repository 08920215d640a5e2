"""The hand-written protobuf means to OpenTelemetry's own classes what the record says."""

import json
import math
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from clerestory.delivery.port import Batch
from clerestory.wire.otlp import export, logs
from clerestory.wire.otlp.encoder import Encoder
from clerestory.wire.protobuf import any_value
from tests.doubles.otlp import attributes_of, plain
from tests.support.batches import EXCEPTION, RESOURCE, SPAN, TIME, TRACE, line

SCALARS = st.one_of(
    st.none(),
    st.text(max_size=300),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=200),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=150), inner, max_size=4)
    ),
    max_leaves=12,
)
JSON_VALUES = st.recursive(
    SCALARS.filter(lambda value: not isinstance(value, bytes)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=20), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.text(max_size=130).filter(
    lambda name: (
        name not in logs._HEAD_NAMES | logs._PLACED | {"timestamp", "message", "log.record.uid"}
    )
)


def encoded(*lines, first=0, resource=RESOURCE):
    text = b"".join(one + b"\n" for one in lines)
    batch = Batch(spool_id="s", first=first, count=len(lines), lines=text, resource=resource)
    return Encoder().encode(batch)[0].body


def decoded(*lines):
    body = encoded(*lines)
    (group,) = ExportLogsServiceRequest.FromString(body).resource_logs
    return group


def record_of(one):
    (scope,) = decoded(one).scope_logs
    (record,) = scope.log_records
    return record


@settings(deadline=None)
@given(VALUES)
def test_every_value_comes_out_as_it_went_in(value):
    """Each kind of AnyValue, nested in any way, by OpenTelemetry's own decoder."""
    found = AnyValue.FromString(any_value(value))

    assert plain(found) == value
    assert AnyValue.FromString(found.SerializeToString()) == found


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1).map(lambda ns: max(ns, 10**18)),
    st.dictionaries(NAMES, JSON_VALUES, max_size=6),
    st.text(max_size=300),
    st.sampled_from(["INFO", "ERROR", "NOTICE", "NONSENSE"]),
)
def test_every_record_comes_out_as_it_went_in(ns, fields, message, level):
    """Time, severity, body and every field, whatever their names, sizes and values."""
    record = record_of(line(message, at=ns, level=level)[:-1] + tail(fields))

    found = attributes_of(record)
    assert record.time_unix_nano == record.observed_time_unix_nano == ns
    assert record.severity_text == level
    assert record.body.string_value == message
    assert found.pop("log.record.uid") == "s:0"
    assert found.pop("code.function.name") == "main.order"
    assert found.pop("code.line.number") == 42
    assert found == fields


def tail(fields):
    text = json.dumps(fields, ensure_ascii=False)
    return b"}" if text == "{}" else b"," + text[1:].encode()


def test_numbers_beyond_64_bits_become_text():
    """A protobuf integer has 64 bits; the digits are not lost."""
    assert plain(AnyValue.FromString(any_value(2**63))) == str(2**63)
    assert plain(AnyValue.FromString(any_value(-(2**63) - 1))) == str(-(2**63) - 1)
    assert math.isinf(plain(AnyValue.FromString(any_value(math.inf))))


def test_a_value_nested_beyond_any_use_becomes_json_text():
    """Decoders refuse messages nested deeper than some hundred levels."""
    value: Any = "x"
    for _ in range(90):
        value = [value]

    found = AnyValue.FromString(any_value(value)).SerializeToString()

    assert b'[["x"]]' in found


def test_a_record_is_these_bytes():
    """Golden bytes: a change of the encoding shows here, whoever wrote the decoder."""
    one = b'{"timestamp":1795314823428724290,"level":"WARNING","logger":"a","message":"m","n":-1}'

    body = encoded(one, first=7, resource={"service.name": "x"})

    assert body.hex() == (
        "0a6d0a150a130a0c736572766963652e6e616d6512030a017812540a030a0161"
        "124d09425676e6513dea1859425676e6513dea18100d1a075741524e494e47"
        "2a030a016d32100a016e120b18ffffffffffffffffff01"
        "32170a0e6c6f672e7265636f72642e75696412050a03733a37"
    )


def test_ids_are_bytes_and_what_is_no_id_stays_a_field():
    """A trace is found by its id's bytes; a field of another form is not thrown away."""
    good = record_of(line(trace_id=TRACE, span_id=SPAN))
    odd = record_of(line(trace_id="abc", span_id="z" * 16))

    assert (good.trace_id.hex(), good.span_id.hex()) == (TRACE, SPAN)
    assert (odd.trace_id, odd.span_id) == (b"", b"")
    assert attributes_of(odd)["trace_id"] == "abc"
    assert attributes_of(odd)["span_id"] == "z" * 16


def test_exceptions_have_the_names_of_the_semantic_conventions():
    """Receivers show exception.type, exception.message and exception.stacktrace as an error."""
    fields: dict[str, Any] = {"exception.type": "ValueError", "exception": EXCEPTION}
    one = line(**fields, stack="at f")

    found = attributes_of(record_of(one))

    assert found["exception.type"] == "ValueError"
    assert found["exception.message"] == "no such order"
    assert found["exception.stacktrace"].endswith("ValueError: no such order")
    assert (
        "KeyError: 'x'\n\nThe above exception was the direct cause" in found["exception.stacktrace"]
    )
    assert found["code.stacktrace"] == "at f"
    assert "exception" not in found


@pytest.mark.parametrize(
    ("level", "number"), [("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("ERROR", 17), ("EMERGENCY", 24)]
)
def test_levels_have_opentelemetrys_numbers(level, number):
    """Receivers filter by number and show the text."""
    record = record_of(line(level=level))

    assert (record.severity_number, record.severity_text) == (number, level)


def test_records_of_one_logger_share_a_scope_in_order():
    """The logger's name is the scope's, once for all its records."""
    one, two = line("a"), line("b").replace(b"shop.orders", b"shop.users")

    group = decoded(one, two, line("c"))

    found = [
        (scope.scope.name, [record.body.string_value for record in scope.log_records])
        for scope in group.scope_logs
    ]
    assert found == [("shop.orders", ["a", "c"]), ("shop.users", ["b"])]
    assert {one.key: plain(one.value) for one in group.resource.attributes} == RESOURCE


@pytest.mark.parametrize(
    "odd",
    [
        b"not JSON at all \xff",
        b"[1,2]",
        b'{"timestamp":1795314823428724290,"level":"INFO","logger":"a","x":{"message":"m"}}',
        b'{"timestamp":1795314823428724290,"level":["INFO"],"logger":{},"module":[],"message":"m"}',
        b'{"timestamp":"2026-01-02T03:04:05Z","level":"INFO","message":"m"}',
        b'{"level":"INFO"}',
        b"{}",
    ],
)
def test_a_line_of_another_form_still_becomes_a_record(odd):
    """Nothing that was in the spool disappears on the way out."""
    record = record_of(odd)

    assert attributes_of(record)["log.record.uid"] == "s:0"
    assert record.SerializeToString()


def test_a_nested_message_is_not_taken_for_the_records_own():
    """The head of a line is looked up by its bytes: only a whole head counts."""
    one = b'{"timestamp":1795314823428724290,"level":"INFO","logger":"a","x":{"b":1,"message":"m"}}'

    found = record_of(one)

    assert attributes_of(found)["x"] == {"b": 1, "message": "m"}
    assert not found.HasField("body")
    assert found.time_unix_nano == TIME


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.text(max_size=300))
def test_a_response_is_read_as_it_was_written(lost, detail):
    """What the receiver refuses is counted exactly."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = lost
    answer.partial_success.error_message = detail

    assert export.decode_response(answer.SerializeToString()) == (lost, detail)
    assert export.decode_response(b"") == (0, "")


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.text(max_size=300))
def test_a_status_gives_its_message(code, message):
    """An error is shown in the receiver's words."""
    assert export.decode_status(Status(code=code, message=message).SerializeToString()) == message


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_a_damaged_response_is_an_error_and_never_hangs(body):
    """A proxy's page is no protobuf."""
    try:
        export.decode_response(body)
    except ValueError as error:
        assert str(error)


def test_bytes_that_are_no_utf8_reach_no_receiver():
    """One such record would make the whole request unreadable."""
    good = line("m", a="x")

    group = decoded(*[good] * 8, good.replace(b'"x"', b'"\xff"'))

    (scope,) = [scope for scope in group.scope_logs if scope.scope.name == "clerestory"]
    assert scope.log_records[0].body.string_value.endswith('"\ufffd"}')
