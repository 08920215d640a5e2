"""Spans as segment documents: the rules of OpenTelemetry's exporter, and that they are read."""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.wire.xray.document import document_of, documents_of, name_of, nested
from clerestory.wire.xray.members import SCALARS
from clerestory.wire.xray.segment import spans_of
from tests.wire.xray.documents import ids, json_values, plain, texts

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "200"))
STACK = """Traceback (most recent call last):
  File "app.py", line 3, in main
    ask()
  File "db.py", line 7, in ask
    raise OSError("gone")
OSError: gone
"""


def line(**members: Any) -> dict[str, Any]:
    """Return the line of a span of a service, without a parent."""
    return {
        "timestamp": 1_795_314_823_000_000_000, "level": "INFO", "logger": "app", "kind": "span",
        "span.kind": "server", "span.status": "unset", "message": "GET /cart",
        "trace_id": "5759e988bd862e3fe1be46a994272793", "span_id": "53995c3f42cd8ad8",
        "duration_ns": 1_500_000_000, **members,
    }  # fmt: skip


SHOP = {"service.name": "shop", "service.version": "1.2", "cloud.platform": "aws_ecs"}
CALL = {"span.kind": "client", "parent_span_id": "1" * 16}


def test_a_request_is_a_segment_of_its_service():
    """Name, times, ids, and the resource as metadata."""
    document = document_of(line(), SHOP)

    assert document == {
        "name": "shop",
        "id": "53995c3f42cd8ad8",
        "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "start_time": 1795314823.0,
        "end_time": 1795314824.5,
        "origin": "AWS::ECS::Container",
        "service": {"version": "1.2"},
        "metadata": {
            "default": {
                "otel.resource.service.name": "shop",
                "otel.resource.service.version": "1.2",
                "otel.resource.cloud.platform": "aws_ecs",
            }
        },
    }


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"span.kind": "server", "aws.local.service": "local"}, "local"),
        ({**CALL, "aws.remote.service": "AWS.SDK.S3", "peer.service": "p"}, "S3"),
        ({**CALL, "peer.service": "api"}, "api"),
        ({**CALL, "rpc.system": "aws-api", "aws.service": "DynamoDB"}, "DynamoDB"),
        ({**CALL, "db.name": "shop", "server.address": "db1"}, "shop@db1"),
        ({**CALL, "db.namespace": "shop"}, "shop"),
        ({**CALL, "rpc.service": "Cart"}, "Cart"),
        ({**CALL, "http.host": "x.example"}, "x.example"),
        ({**CALL, "server.address": "y.example"}, "y.example"),
        ({**CALL, "message": "q"}, "q"),
        ({"span.kind": "internal", "parent_span_id": "1" * 16, "message": "work"}, "work"),
        ({**CALL, "span.kind": "consumer", "message": "take"}, "take"),
        ({**CALL, "span.kind": "consumer", "aws.span.kind": "LOCAL_ROOT"}, "shop"),
        ({}, "shop"),
    ],
)
def test_the_name_is_the_first_that_a_rule_gives(members, name):
    """The service map of X-Ray is made of these names."""
    assert document_of(line(**members), SHOP)["name"] == name


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({"http.response.status_code": 200}, set()),
        ({"http.response.status_code": 404}, {"error"}),
        ({"http.status_code": 429}, {"error", "throttle"}),
        ({"http.response.status_code": 503}, {"fault"}),
        ({"http.response.status_code": 404, "span.status": "error"}, {"error"}),
        ({"span.status": "error"}, {"fault"}),
    ],
)
def test_the_outcome_is_that_of_the_response_or_of_the_status(members, outcome):
    """4xx is an error, 429 throttled too, 5xx a fault."""
    document = document_of(line(**members), SHOP)

    assert {flag for flag in ("error", "throttle", "fault") if document.get(flag)} == outcome


def test_exceptions_become_the_cause_with_their_stacks_from_the_inside():
    """X-Ray shows the innermost frame first."""
    attributes = {
        "exception.type": "OSError", "exception.message": "gone", "exception.stacktrace": STACK,
    }  # fmt: skip
    event = {"name": "exception", "timestamp": 5, "attributes": attributes}
    document = document_of(line(**CALL, **{"span.events": [event]}), SHOP)

    (exception,) = document["cause"]["exceptions"]
    assert len(exception.pop("id")) == 16
    assert exception == {
        "message": "gone",
        "type": "OSError",
        "remote": True,
        "stack": [
            {"path": "db.py", "line": 7, "label": "ask"},
            {"path": "app.py", "line": 3, "label": "main"},
        ],
    }
    failed = line(**{"span.status": "error", "span.status_message": "bad"})
    assert document_of(failed, SHOP)["cause"]["exceptions"][0]["message"] == "bad"


def test_attributes_go_where_x_ray_looks_for_them():
    """What is to be searched is an annotation, what belongs to a namespace is there."""
    document = document_of(
        line(
            **CALL,
            **{
                "http.method": "GET",
                "enduser.id": "ann",
                "aws.xray.annotations": ["cart.id", "missing"],
                "cart.id": 7,
                "annotation.tier": "gold",
                "annotation.käse": True,
                "aws.xray.metadata.debug": '{"a": 1}',
                "other": [1, 2],
                "db.system": "mysql",
                "db.statement": "SELECT ?",
            },
            **{"span.links": [{"trace_id": "0" * 32, "span_id": "2" * 16, "attributes": {}}]},
        ),
        SHOP,
    )

    assert document["type"] == "subsegment"
    assert document["namespace"] == "remote"
    assert document["http"] == {"request": {"method": "GET"}}
    assert document["user"] == "ann"
    assert document["annotations"] == {"cart.id": 7, "tier": "gold", "k_se": True}
    assert document["metadata"] == {"debug": {"a": 1}, "default": {"other": [1, 2]}}
    assert document["sql"]["sanitized_query"] == "SELECT ?"
    assert document["sql"]["database_type"] == "mysql"
    assert document["links"] == [{"trace_id": f"1-{'0' * 8}-{'0' * 24}", "id": "2" * 16}]


def test_a_call_without_a_parent_stands_in_a_segment_of_its_service():
    """X-Ray takes no subsegment that belongs to nothing."""
    call = line(**{"span.kind": "client", "peer.service": "api", "span.status": "error"})
    (document,) = documents_of(call, SHOP)

    assert document["name"] == "shop"
    assert document["fault"]
    assert document["id"] != call["span_id"]
    (part,) = document["subsegments"]
    assert (part["id"], part["name"], part["namespace"]) == (call["span_id"], "api", "remote")
    assert "type" not in part
    called = call | {"parent_span_id": "1" * 16, "aws.span.kind": "LOCAL_ROOT"}
    (document,) = documents_of(called, SHOP)
    assert document["parent_id"] == "1" * 16
    assert "parent_id" not in document["subsegments"][0]


def test_parts_stand_inside_their_parents():
    """One document for each segment is what a reader wants."""
    lines = [
        line(),
        line(**CALL | {"span_id": "2" * 16, "parent_span_id": "53995c3f42cd8ad8"}),
        line(**CALL | {"span_id": "3" * 16, "parent_span_id": "2" * 16}),
        line(**CALL | {"span_id": "4" * 16, "parent_span_id": "9" * 16}),
    ]

    whole, alone = nested(document_of(one, SHOP) for one in lines)

    assert [one["id"] for one in whole["subsegments"]] == ["2" * 16]
    assert [one["id"] for one in whole["subsegments"][0]["subsegments"]] == ["3" * 16]
    assert (alone["id"], alone["parent_id"]) == ("4" * 16, "9" * 16)


NAMES = [attribute for _, attribute, _ in SCALARS] + [
    "http.method", "http.status_code", "rpc.system", "peer.service", "db.name", "db.statement",
    "aws.xray.annotations", "aws.xray.type", "aws.xray.cause", "annotation.a", "annotation.",
    "aws.xray.metadata.m", "aws.xray.metadata.default", "aws.local.service", "http.host", "x",
    "aws.span.kind",
]  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(NAMES) | texts, plain | json_values | st.integers(100, 599), max_size=8
)
events = st.lists(
    st.fixed_dictionaries({}, optional={"name": st.just("exception"), "attributes": attributes})
    | json_values,
    max_size=2,
)
lines = st.builds(
    lambda told, own: {**told, **own},
    attributes,
    st.fixed_dictionaries(
        {
            "timestamp": st.integers(10**18, 2 * 10**18),
            "message": texts,
            "trace_id": ids(32),
            "span_id": ids(16),
        },
        optional={
            "span.kind": st.sampled_from(["server", "client", "internal", "producer", "consumer"]),
            "span.status": st.sampled_from(["unset", "ok", "error"]),
            "span.status_message": texts,
            "parent_span_id": ids(16),
            "duration_ns": st.integers(0, 10**12),
            "span.events": events | json_values,
            "span.links": events | json_values,
        },
    ),
)


@settings(max_examples=EXAMPLES)
@given(lines, attributes)
def test_every_span_becomes_documents_that_x_ray_reads(told, resource):
    """Whatever attributes a program set, and of whatever type."""
    for document in documents_of(told, resource):
        found = spans_of(document)

        assert found[-1]["span_id"] == told["span_id"]
        assert found[0]["trace_id"] == told["trace_id"]


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=300))
def test_every_text_becomes_a_name(text):
    """X-Ray refuses some characters, and names of more than 200."""
    assert 0 < len(name_of(text)) <= 200
    assert name_of(name_of(text)) == name_of(text)
