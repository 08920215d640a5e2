"""Segment documents and spans: nothing is lost on the way there and back."""

import copy
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.wire.xray.document import document_of, nested
from clerestory.wire.xray.segment import SegmentError, resource_of, spans_of
from tests.wire.xray.documents import documents, json_values

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "150"))

SEGMENT = {
    "name": "Scorekeep",
    "id": "70de5b6f19ff9a0a",
    "trace_id": "1-581cf771-a006649127e371903a2de979",
    "start_time": 1478293361.271,
    "end_time": 1478293361.449,
    "user": "bob",
    "origin": "AWS::EC2::Instance",
    "service": {"version": "1.2"},
    "http": {
        "request": {"method": "POST", "url": "http://x/api", "client_ip": "10.0.0.1"},
        "response": {"status": 502},
    },
    "fault": True,
    "annotations": {"age": 7, "new": True},
    "metadata": {"debug": {"key": [1, None]}},
    "aws": {"ec2": {"instance_id": "i-1", "availability_zone": "eu-1a"}, "region": "eu-1"},
    "subsegments": [
        {
            "name": "shop@db.example",
            "id": "53995c3f42cd8ad8",
            "start_time": 1478293361.3,
            "end_time": 1478293361.4,
            "namespace": "remote",
            "sql": {"database_type": "PostgreSQL", "sanitized_query": "SELECT ?"},
            "fault": True,
            "cause": {
                "working_directory": "/app",
                "exceptions": [
                    {
                        "id": "1111111111111111",
                        "type": "OperationalError",
                        "message": "gone",
                        "stack": [{"path": "db.py", "line": 7, "label": "ask"}],
                    }
                ],
            },
            "subsegments": [
                {
                    "name": "DynamoDB",
                    "id": "2222222222222222",
                    "start_time": 1478293361.31,
                    "in_progress": True,
                    "namespace": "aws",
                    "aws": {"operation": "GetItem", "table_name": "games"},
                }
            ],
        }
    ],
}


def back(document):
    """Return a document that went to spans and back, in the one way that each is whole."""
    resource = resource_of(document)
    return nested(document_of(line, resource) for line in spans_of(document))


def test_a_segment_and_its_subsegments_become_spans():
    """Names, kinds, times and parents are those that OpenTelemetry has for them."""
    own, sql, aws = spans_of(SEGMENT)

    assert own["message"] == "Scorekeep"
    assert [one["span.kind"] for one in (own, sql, aws)] == ["server", "client", "client"]
    assert {one["trace_id"] for one in (own, sql, aws)} == {"581cf771a006649127e371903a2de979"}
    assert [one.get("parent_span_id") for one in (own, sql, aws)] == [
        None, "70de5b6f19ff9a0a", "53995c3f42cd8ad8",
    ]  # fmt: skip
    assert own["timestamp"] == 1478293361271000000
    assert own["duration_ns"] == 178_000_000
    assert own["span.status"] == "error"
    assert own["level"] == "ERROR"
    assert own["http.response.status_code"] == 502
    assert own["enduser.id"] == "bob"
    assert own["annotation.age"] == 7
    assert own["aws.xray.annotations"] == ["annotation.age", "annotation.new"]
    assert own["aws.xray.metadata.debug"] == {"key": [1, None]}
    assert own["host.id"] == "i-1"
    assert resource_of(SEGMENT) == {"service.name": "Scorekeep", "service.version": "1.2"}
    assert sql["db.system"] == "PostgreSQL"
    assert sql["db.name"] == "shop"
    assert sql["span.status_message"] == "gone"
    (event,) = sql["span.events"]
    assert event["attributes"]["exception.type"] == "OperationalError"
    assert 'File "db.py", line 7, in ask' in event["attributes"]["exception.stacktrace"]
    assert aws["span.pending"] is True
    assert "duration_ns" not in aws
    assert (aws["rpc.system"], aws["rpc.method"]) == ("aws-api", "GetItem")


def test_a_segment_comes_back_as_it_was():
    """The page of X-Ray and a program that reads traces see what was sent."""
    assert back(copy.deepcopy(SEGMENT)) == [SEGMENT]


@settings(max_examples=EXAMPLES)
@given(documents())
def test_any_document_comes_back_as_it_was(document):
    """Every documented member, in any type and combination, is kept."""
    assert json.loads(json.dumps(back(copy.deepcopy(document)))) == [document]


@settings(max_examples=EXAMPLES)
@given(documents(), st.data())
def test_a_damaged_document_is_told_or_comes_back(document, data):
    """A member of a wrong type is refused by name, or kept as it is."""
    holder = document
    while holder.get("subsegments") and data.draw(st.booleans()):
        holder = holder["subsegments"][0]
    member = data.draw(st.sampled_from(sorted(holder.keys() | {"subsegments", "type", "new"})))
    value = data.draw(json_values)
    holder[member] = value

    try:
        found = back(copy.deepcopy(document))
    except SegmentError as error:
        assert error.code
        assert str(error)
        return

    if holder is document and member not in ("subsegments", "id", "type"):
        assert found[0].get(member, value) == value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "invalid_name"),
        ({"name": "x" * 201}, "invalid_name"),
        ({"id": "70de5b6f19ff9a0"}, "invalid_id"),
        ({"trace_id": "1-581cf771-a006649127e371903a2de97"}, "invalid_trace_id"),
        ({"trace_id": None}, "invalid_trace_id"),
        ({"start_time": "soon"}, "invalid_start_time"),
        ({"start_time": 1e300}, "invalid_start_time"),
        ({"start_time": -5}, "invalid_start_time"),
        ({"start_time": True}, "invalid_start_time"),
        ({"end_time": None}, "invalid_end_time"),
        ({"parent_id": "x"}, "invalid_parent_id"),
        ({"type": "subsegment"}, "invalid_parent_id"),
        ({"subsegments": {}}, "invalid_subsegments"),
        ({"subsegments": [{"id": "1"}]}, "invalid_name"),
    ],
)
def test_what_is_wrong_with_a_document_is_named(changes, code):
    """Who sent it finds the member in the answer."""
    with pytest.raises(SegmentError) as caught:
        spans_of(SEGMENT | changes)

    assert caught.value.code == code


def test_a_document_that_is_too_deep_or_too_large_is_refused():
    """A recursion without an end, told as a trace, stops here."""
    deep = leaf = copy.deepcopy(SEGMENT)
    for _ in range(70):
        part = {"name": "a", "id": "1" * 16, "start_time": 5.0, "end_time": 6.0}
        leaf["subsegments"] = [part]
        leaf = part
    wide = SEGMENT | {"subsegments": [leaf] * 2001}

    for document, told in ((deep, "nested more than 64"), (wide, "more than 2000")):
        with pytest.raises(SegmentError, match=told):
            spans_of(document)
