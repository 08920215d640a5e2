"""The destination datadog beside Datadog's own client."""

import json
import time
from typing import Any

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem

from clerestory.destinations.services.datadog import Datadog, DatadogConfig
from clerestory.model.errors import ConfigurationError, HoldError
from tests.doubles.datadog import DatadogReceiver
from tests.support.batches import EXCEPTION, SPAN, SPOOL, TRACE, batch_of, line


@pytest.fixture
def receiver():
    with DatadogReceiver() as one:
        yield one


@pytest.fixture
def destination(made, receiver):
    return made(Datadog, DatadogConfig(url=receiver.url, api_key="s3cr3t-key"))


def now_ns(ahead_s=0):
    return time.time_ns() + int(ahead_s * 1e9)


def test_records_become_items(receiver, destination):
    """Standard attributes where Datadog has them; reserved names are kept under another."""
    at = now_ns()
    fields: dict[str, Any] = {"exception.type": "ValueError", "status": 500, "user_id": "u"}

    receipt = destination.send(
        batch_of(line(at=at, trace_id=TRACE, span_id=SPAN, exception=EXCEPTION, **fields), first=3)
    )

    (one,) = receiver.items
    assert receipt.taken == 1
    assert one["error"].pop("stack").endswith("ValueError: no such order")
    assert one == {
        "message": "order placed",
        "status": "info",
        "timestamp": at // 1_000_000,
        "service": "shop",
        "hostname": "web-1",
        "ddsource": "python",
        "ddtags": "env:test,version:1.2.3,pid:4242",
        "logger": {
            "name": "shop.orders", "method_name": "order", "file_name": "main", "line": 42,
        },
        "error": {"kind": "ValueError", "message": "no such order"},
        "dd.trace_id": TRACE,
        "dd.span_id": str(int(SPAN, 16)),
        "user_id": "u",
        "field.status": 500,
        "_cid": f"{SPOOL}:3",
    }  # fmt: skip


def test_datadogs_own_client_sends_the_same(receiver, destination):
    """Path, key, encoding and body."""
    destination.send(batch_of(*[line(f"m {n}", at=now_ns()) for n in range(20)]))
    ours = receiver.requests[-1]
    operation = "submit_log"
    host, _, _ = receiver.url.removeprefix("http://").partition("/")
    configuration = Configuration(
        api_key={"apiKeyAuth": "s3cr3t-key"},
        server_operation_index={operation: 1},
        server_operation_variables={operation: {"protocol": "http", "name": host}},
    )
    with ApiClient(configuration) as client:
        LogsApi(client).submit_log(
            content_encoding=ContentEncoding.GZIP,
            body=HTTPLog([HTTPLogItem(**item) for item in receiver.items]),
        )

    theirs = receiver.requests[-1]
    assert theirs.path == ours.path
    assert json.loads(theirs.body) == json.loads(ours.body)
    for name in ("dd-api-key", "content-type", "content-encoding"):
        assert theirs.headers[name] == ours.headers[name]


def test_a_batch_beyond_the_limits_goes_in_parts(receiver, destination):
    """1000 items, 5 MB; the rest comes with the next batch."""
    at = now_ns()
    many = batch_of(*[line(f"m {n}", at=at) for n in range(1001)])
    large = batch_of(*[line("x" * 900_000, at=at) for _ in range(7)])

    assert destination.send(many).taken == 1000
    assert destination.send(large).taken == 5


@pytest.mark.parametrize("text", ["x" * 1_100_000, "é" * 600_000, '"' * 700_000])
def test_an_item_beyond_1_mb_is_shortened_and_says_so(receiver, destination, text):
    """Datadog would cut it in the middle of the JSON."""
    destination.send(batch_of(line(text, at=now_ns())))

    assert receiver.cut == 0
    assert receiver.items[0]["_truncated_bytes"] > 0
    assert len(receiver.requests[0].body) > 900_000


def test_what_datadog_would_throw_away_becomes_a_dead_letter(receiver, destination):
    """After a long outage: taken is not kept, and nothing may disappear silently."""
    receipt = destination.send(
        batch_of(
            line("old", at=now_ns(-18 * 3600 - 60)),
            line("just", at=now_ns(-18 * 3600 + 60)),
            line("ahead", at=now_ns(2 * 3600 + 60)),
            line("new", at=now_ns()),
        )
    )

    assert [(one.index, one.reason.partition(":")[0]) for one in receipt.refused] == [
        (0, "too_old"), (2, "too_new"),
    ]  # fmt: skip
    assert receipt.taken == 4
    assert [one["message"] for one in receiver.items] == ["just", "new"]
    assert receiver.thrown_away == 0


@pytest.mark.parametrize(
    ("level", "status"),
    [("TRACE", "debug"), ("NOTICE", "notice"), ("WARNING", "warn"), ("EMERGENCY", "emergency")],
)
def test_levels_have_datadogs_names(receiver, destination, level, status):
    """The colour in the log explorer."""
    destination.send(batch_of(line(level=level, at=now_ns())))

    assert receiver.items[0]["status"] == status


def test_a_wrong_key_holds_and_does_not_show(receiver, made):
    """In Datadog's words."""
    config = DatadogConfig(url=receiver.url, api_key="wr0ng")

    with pytest.raises(HoldError, match="API key is invalid") as error:
        made(Datadog, config).send(batch_of(line(at=now_ns())))

    assert "wr0ng" not in f"{error.value} {config!r}"


def test_key_and_site_come_from_datadogs_own_variables(monkeypatch, made):
    """As its agent and its other clients do it."""
    with pytest.raises(ConfigurationError, match="DD_API_KEY"):
        Datadog(DatadogConfig())
    monkeypatch.setenv("DD_API_KEY", "k")
    monkeypatch.setenv("DD_SITE", "datadoghq.eu")

    found = made(Datadog, DatadogConfig())

    assert found.exchange.host == "http-intake.logs.datadoghq.eu"
    assert found.name == "datadog-datadoghq.eu"
