"""The destination elasticsearch beside the clients of Elastic and OpenSearch."""

import json
import logging
from typing import Any

import ecs_logging
import elasticsearch
import opensearchpy
import pytest
from elasticsearch.helpers import bulk as elastic_bulk
from opensearchpy.helpers import bulk as opensearch_bulk

from clerestory.destinations.services.elasticsearch import Elasticsearch, ElasticsearchConfig
from clerestory.model.errors import (
    ConfigurationError,
    HoldError,
    RefusedError,
    RetryError,
    TooLargeError,
)
from tests.doubles.elasticsearch import ElasticsearchReceiver
from tests.support.batches import EXCEPTION, SPAN, SPOOL, TRACE, batch_of, line

STREAM = "logs-shop-test"


@pytest.fixture(params=["elasticsearch", "opensearch"])
def receiver(request):
    with ElasticsearchReceiver(product=request.param) as one:
        yield one


@pytest.fixture
def destination(made, receiver):
    return made(Elasticsearch, ElasticsearchConfig(url=receiver.url))


def test_records_become_documents_of_the_programs_data_stream(receiver, destination):
    """`logs-<service>-<environment>`, the id is the record's, the names are ECS's."""
    one = line(user_id="u", user=7, trace_id=TRACE, span_id=SPAN, exception=EXCEPTION)
    fields = json.loads(one) | {"exception.type": "ValueError"}

    receipt = destination.send(batch_of(json.dumps(fields).encode(), b"", line("b"), first=3))

    assert (receipt.taken, receipt.refused) == (3, ())
    assert list(receiver.documents) == [(STREAM, f"{SPOOL}:3"), (STREAM, f"{SPOOL}:5")]
    found = receiver.documents[STREAM, f"{SPOOL}:3"]
    assert found.pop("error.stack_trace").endswith("ValueError: no such order")
    assert found == {
        "@timestamp": "2026-11-22T02:33:43.428724290Z",
        "log.level": "info",
        "log.logger": "shop.orders",
        "log.origin.file.name": "main",
        "log.origin.function": "order",
        "log.origin.file.line": 42,
        "message": "order placed",
        "user_id": "u",
        "labels.user": 7,
        "trace.id": TRACE,
        "span.id": SPAN,
        "error.type": "ValueError",
        "error.message": "no such order",
        "service.name": "shop",
        "service.version": "1.2.3",
        "service.environment": "test",
        "host.name": "web-1",
        "process.pid": 4242,
        "ecs.version": "9.0.0",
    }


def test_a_field_of_the_record_goes_before_what_all_have_in_common(receiver, destination):
    """One name twice in a document is an error to the cluster."""
    other: dict[str, Any] = {"service.name": "other"}
    destination.send(batch_of(line(**other)))

    assert b"shop" not in receiver.requests[0].body.splitlines()[1].replace(b"shop.orders", b"")
    assert receiver.documents[STREAM, f"{SPOOL}:0"]["service.name"] == "other"


def flat(value, prefix=""):
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        key: one
        for name, held in value.items()
        for key, one in flat(held, f"{prefix}.{name}" if prefix else name).items()
    }


def test_the_names_are_those_of_elastics_own_formatter(receiver, destination):
    """A dashboard made for ecs-logging shows our records too."""
    made = logging.LogRecord("shop.orders", 30, "main.py", 42, "m", (), None, "order")
    theirs = flat(json.loads(ecs_logging.StdlibFormatter().format(made)))
    destination.send(batch_of(line("m", level="WARNING")))

    ours = flat(receiver.documents[STREAM, f"{SPOOL}:0"])

    same = ("log.level", "message", "log.logger", "log.origin.function", "log.origin.file.line")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert set(theirs) - set(ours) <= {
        "log.original", "process.name", "process.thread.id", "process.thread.name",
    }  # fmt: skip


def test_the_vendors_client_stores_the_same(destination, receiver):
    """Our bytes and those of the official client end in the same documents."""
    destination.send(batch_of(line("a", n=1), line("b")))
    ours = dict(receiver.documents)
    receiver.documents.clear()
    actions = [
        {"_op_type": "create", "_index": index, "_id": identity, "_source": source}
        for (index, identity), source in ours.items()
    ]

    if receiver.product == "elasticsearch":
        with elasticsearch.Elasticsearch(receiver.url) as client:
            done = elastic_bulk(client, actions)
    else:
        with opensearchpy.OpenSearch(receiver.url) as client:
            done = opensearch_bulk(client, actions)

    assert done == (2, [])
    assert receiver.documents == ours


def test_a_batch_that_is_sent_again_is_stored_once(receiver, destination):
    """The answer was lost; the ids are known, and 409 counts as stored."""
    receiver.fail("drop_answer")
    batch = batch_of(line("a"), line("b"))

    with pytest.raises(RetryError):
        destination.send(batch)
    receipt = destination.send(batch)

    assert (receipt.taken, receipt.refused) == (2, ())
    assert len(receiver.documents) == 2


def test_only_the_documents_that_do_not_fit_are_refused(receiver, destination):
    """By exact index, also behind a line that a filter kept back."""
    receipt = destination.send(batch_of(line("a"), b"", line("poison"), line("b")))

    assert [one.index for one in receipt.refused] == [2]
    assert receipt.refused[0].reason == "document_parsing_exception: failed to parse field [order]"
    assert receipt.taken == 4
    assert len(receiver.documents) == 2


def test_a_document_that_met_a_full_queue_comes_again_with_its_batch(receiver, destination):
    """What was stored meanwhile is not stored twice."""
    receiver.full = 1
    batch = batch_of(line("a"), line("b"), line("c"))

    with pytest.raises(RetryError, match="es_rejected_execution_exception"):
        destination.send(batch)
    destination.send(batch)

    assert len(receiver.documents) == 3


def test_a_stream_that_may_not_be_written_holds(receiver, destination):
    """A missing privilege is no reason to throw records away."""
    receiver.forbidden = True

    with pytest.raises(HoldError, match="check what the key or user may do"):
        destination.send(batch_of(line()))


def test_a_body_beyond_the_limit_is_to_be_sent_in_halves(receiver, destination):
    """The cluster's administrator may set a lower limit."""
    receiver.bytes_max = 100

    with pytest.raises(TooLargeError):
        destination.send(batch_of(line(), line()))


def test_an_answer_that_is_none_is_not_taken_for_success(receiver, destination):
    """A proxy's page with status 200 must not move the cursor."""
    receiver.fail("status", reply=_page())

    with pytest.raises(RetryError, match="no answer to a bulk request"):
        destination.send(batch_of(line()))


def _page():
    from tests.doubles.receiver import Reply

    return Reply(body=b"<html>welcome</html>")


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"api_key": "abc="}, "ApiKey abc="),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
    ],
)
def test_credentials_reach_the_cluster_and_no_dump(receiver, made, options, header):
    """Either way of logging in; a wrong one holds."""
    receiver.authorization = header
    config = ElasticsearchConfig(url=receiver.url, **options)

    made(Elasticsearch, config).send(batch_of(line()))
    with pytest.raises(HoldError, match="unable to authenticate"):
        made(Elasticsearch, ElasticsearchConfig(url=receiver.url)).send(batch_of(line()))

    assert len(receiver.documents) == 1
    assert "abc=" not in repr(config)
    assert "'p'" not in repr(config)


def test_an_index_that_is_no_data_stream_is_written_by_index(receiver, made):
    """An `index` with an explicit id is stored once, too."""
    destination = made(Elasticsearch, ElasticsearchConfig(url=receiver.url, index="app"))
    batch = batch_of(line("a"), line("b"))

    destination.send(batch)
    destination.send(batch)

    assert list(receiver.documents) == [("app", f"{SPOOL}:0"), ("app", f"{SPOOL}:1")]
    assert b'{"index":' in receiver.requests[0].body


@pytest.mark.parametrize(
    "options",
    [{"data_stream": "a", "index": "b"}, {"api_key": "k", "username": "u"}, {"url": "es:9200"}],
)
def test_options_that_exclude_each_other_are_named(options):
    """Before the first record."""
    with pytest.raises(ConfigurationError):
        Elasticsearch(ElasticsearchConfig(**({"url": "http://es"} | options)))


def test_a_request_that_is_no_bulk_request_is_refused(receiver, made):
    """A wrong address in the path is an error of the set-up, shown in the cluster's words."""
    destination = made(Elasticsearch, ElasticsearchConfig(url=receiver.url + "/base/_doc"))
    receiver.fail("status", reply=receiver._error(400, "parse_exception", "request body"))

    with pytest.raises(RefusedError, match="parse_exception"):
        destination.send(batch_of(line()))
