"""Log groups and streams of CloudWatch Logs, its options, and what moto's server keeps."""

import json
import re
import threading
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from tests.contracts.case import Road
from tests.contracts.case import line as contract_line
from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs, error
from tests.doubles.receiver import Reply
from tests.support.cloudwatch import GROUP, RESOURCE, STREAM, batch, line, made


@pytest.fixture
def double():
    with CloudWatchLogs() as one:
        yield one


@pytest.fixture
def destination(double):
    one = made(double.url)
    yield one
    one.close()


def test_group_and_stream_are_created_once_with_retention_and_tags(double):
    """And then the very same bytes are put again."""
    one = made(double.url, retention_days=30, log_group_tags={"team": "shop"})

    one.send(batch(line()))
    one.send(batch(line()))
    one.close()

    group = double.groups[GROUP]
    assert (group.retention_days, group.tags) == (30, {"team": "shop"})
    assert list(group.streams) == [STREAM]
    assert double.calls == [
        "PutLogEvents",
        "CreateLogStream",
        "CreateLogGroup",
        "PutRetentionPolicy",
        "CreateLogStream",
        "PutLogEvents",
        "PutLogEvents",
    ]
    first, *_, again, _ = (request.body for request in double.requests)
    assert first == again


def test_a_group_that_exists_is_left_as_it_is(double):
    """Creating groups needs a right that many programs do not have."""
    double._create_log_group({"logGroupName": GROUP})
    double.denied = {"CreateLogGroup", "PutRetentionPolicy"}
    one = made(double.url, retention_days=30)

    receipt = one.send(batch(line()))
    one.close()

    assert receipt.taken == 1
    assert double.groups[GROUP].retention_days is None


def test_two_that_create_at_once_do_not_disturb_each_other(double):
    """Somebody else was faster: that is as good."""
    one = made(double.url)
    double.fail("status", reply=error("ResourceNotFoundException", "log stream"))
    double._create_log_group({"logGroupName": GROUP})
    double._create_log_stream({"logGroupName": GROUP, "logStreamName": STREAM})

    receipt = one.send(batch(line()))
    one.close()

    assert receipt.taken == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"create_log_group": False}, "log group /test/shop does not exist"),
        (
            {"create_log_group": False, "create_log_stream": False},
            "log group /test/shop does not exist",
        ),
        ({"create_log_stream": False}, f"log stream {STREAM} in log group /test/shop"),
    ],
)
def test_what_may_not_be_created_holds_the_records(double, options, what):
    """Until somebody creates it; nothing is lost meanwhile."""
    one = made(double.url, **options)

    with pytest.raises(HoldError, match="may not be created here") as caught:
        one.send(batch(line("waits")))
    if GROUP not in double.groups:
        double._create_log_group({"logGroupName": GROUP})
    double._create_log_stream({"logGroupName": GROUP, "logStreamName": STREAM})
    receipt = one.send(batch(line("waits")))
    one.close()

    assert what in str(caught.value)
    assert receipt.taken == 1


def test_a_right_that_is_missing_is_named(double):
    """The message is what has to be added to the policy."""
    double.denied = {"CreateLogStream"}
    one = made(double.url)

    with pytest.raises(HoldError, match="allow logs:CreateLogStream on arn:aws:logs:eu-central-1"):
        one.send(batch(line()))
    one.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error("InvalidParameterException", "bad name"), HoldError),
        (error("LimitExceededException", "too many groups"), RetryError),
        (error("OperationAbortedException", "another request"), RetryError),
        (Reply(status=408), RetryError),
        (Reply(status=502, body=b"<html>"), RetryError),
        (Reply(status=403, body=b"<html>"), HoldError),
    ],
)
def test_what_goes_wrong_with_creating_costs_no_record(double, reply, kind):
    """A group that cannot be made is no fault of the records."""
    one = made(double.url)
    original = double.answer
    double.answer = lambda request: (
        reply if request.headers["x-amz-target"].endswith("Group") else original(request)
    )

    with pytest.raises(kind):
        one.send(batch(line()))
    one.close()


def test_retention_that_failed_is_set_later(double):
    """The group exists by then, so nothing else would remember."""
    one = made(double.url, retention_days=7)
    busy = error("ServiceUnavailableException", "busy", 503)
    original = double.answer

    def answer(request):
        fails = request.headers["x-amz-target"].endswith("PutRetentionPolicy") and not seen
        if fails:
            seen.append(1)
            return busy
        return original(request)

    seen: list[int] = []
    double.answer = answer
    with pytest.raises(RetryError):
        one.send(batch(line()))
    one.send(batch(line()))
    one.close()

    assert double.groups[GROUP].retention_days == 7


def test_nothing_is_lost_while_a_stream_is_created(double, tmp_path):
    """Watchtower drops what is logged meanwhile: 56 of 200 in 0.3 s."""
    double.create_s = 0.3
    with Road(tmp_path, made(double.url)) as road:
        for number in range(200):
            road.put(contract_line(number))
            threading.Event().wait(0.002)
        assert road.pipeline.flush(20)

    assert double.accepted == road.ids(200)


def test_an_orphans_records_go_to_the_stream_of_the_process_that_made_them(double, destination):
    """Whoever reads that stream finds the end of the story."""
    destination.send(batch(line()))
    other = {**RESOURCE, "process.pid": 1, "process.creation.time": "2026-11-20T09:00:00Z"}

    destination.send(batch(line(), resource=other))

    assert set(double.groups[GROUP].streams) == {STREAM, "box_20261120_090000_1"}


def test_records_of_one_batch_can_go_to_several_streams(double):
    """As watchtower's placeholders ask for."""
    one = made(double.url, log_stream="{logger_name}")
    lines = [line("1"), line("2").replace(b'"shop"', b'"till"'), line("3")]

    receipt = one.send(batch(*lines))
    one.close()

    assert receipt.taken == 3
    assert [r["message"] for r in double.records(GROUP, "shop")] == ["1", "3"]
    assert [r["message"] for r in double.records(GROUP, "till")] == ["2"]


def test_a_stream_that_has_its_events_does_not_get_them_again(double):
    """The second of two requests failed; the batch comes again, with more behind it."""
    one = made(double.url, log_stream="{logger_name}")
    lines = [line("1"), line("2").replace(b'"shop"', b'"till"')]
    one.send(batch(line("0"), line("0").replace(b'"shop"', b'"till"')))
    original = double.answer

    def answer(request):
        if b'"till"' in request.body and not seen:
            seen.append(1)
            return double.throttled()
        return original(request)

    seen: list[int] = []
    double.answer = answer
    with pytest.raises(RetryError):
        one.send(batch(*lines, first=2))
    receipt = one.send(batch(*lines, line("3"), first=2))
    one.close()

    assert receipt.taken == 2
    assert [r["message"] for r in double.records(GROUP, "shop")] == ["0", "1"]
    assert [r["message"] for r in double.records(GROUP, "till")] == ["0", "2"]


# -- configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("cloudwatch://eu-central-1/shop", {"region": "eu-central-1", "log_group": "shop"}),
        ("cloudwatch://eu-west-1//aws/shop", {"region": "eu-west-1", "log_group": "/aws/shop"}),
        ("cloudwatch:///shop/orders", {"log_group": "shop/orders"}),
        ("cloudwatch:////aws/shop", {"log_group": "/aws/shop"}),
    ],
)  # fmt: skip
def test_an_address_stands_for_options(url, options):
    """One variable is enough to send somewhere."""
    assert CloudWatch.options(urlsplit(url)) == options


def test_the_name_is_the_same_in_every_run():
    """A restarted program finds what its killed predecessor left."""
    one, other = made("http://127.0.0.1:1"), made("http://127.0.0.1:1", log_stream="s")

    assert one.name == made("http://127.0.0.1:1").name
    assert one.name != other.name
    assert len(made("http://h", log_group="g" * 512).name) < 200
    assert "/" not in one.name


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"log_group": "a b"}, "log_group 'a b'"),
        ({"log_group": ""}, "log_group ''"),
        ({"log_group": "aws/x"}, "not beginning with aws/"),
        ({"log_stream": "a:b"}, "no colon"),
        ({"retention_days": 31}, "the nearest is 30"),
        ({"max_queue_size": 0}, "max_queue_size 0 must be at least 1"),
        ({"message_bytes": 10}, "message_bytes 10 must be at least 400"),
        ({"batch_bytes": 10}, "batch_bytes 10 must be at least 426"),
        ({"log_group_tags": {str(n): "v" for n in range(51)}}, "at most 50"),
        ({"aws_secret_access_key": None}, "give both"),
    ],
)
def test_a_wrong_option_is_told_at_once(options, text):
    """AWS would refuse each batch, and the records would end as dead letters."""
    with pytest.raises(ConfigurationError, match=text):
        made("http://127.0.0.1:1", **options)


@pytest.mark.parametrize(
    ("given", "used"),
    [({"batch_size": 0}, 1), ({"batch_size": 20_000}, 10_000), ({"max_queue_size": 7}, 7)],
)
def test_the_batch_size_is_one_that_aws_takes(given, used):
    """More is no mistake of the program's; it is bounded."""
    assert CloudWatchConfig(log_group="g", **given).batch_size == used


def test_secrets_are_not_shown():
    """What is printed of options can be put into a bug report."""
    config = CloudWatchConfig(
        log_group="g",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret-1",
        aws_session_token="token-1",
    )

    assert "secret-1" not in repr(config)
    assert "token-1" not in repr(config)


# -- beside AWS's own client -------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def read_back(url, group, stream):
    client = boto3.client(
        "logs",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    events: list[tuple[int, str]] = []
    token = None
    while True:
        more: Any = {"nextToken": token} if token else {}
        answer = client.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True, limit=1000, **more
        )
        if answer["nextForwardToken"] == token:
            client.close()
            return events
        events += [(event["timestamp"], event["message"]) for event in answer["events"]]
        token = answer["nextForwardToken"]


def test_what_moto_gives_back_is_what_was_sent_byte_for_byte(moto, double):
    """Another server of the same API, read with AWS's own client, and ours beside it."""
    texts = ["plain", 'quotes " \\ \n\t\x00', "ä日😀\u2028", "<&>", "x" * 300_000]
    lines = [line(text, number / 10) for number, text in enumerate(texts * 40)]
    whole = batch(*lines[:100])
    for url in (moto, double.url):
        one = made(url, add_origin=True)
        one.send(whole)
        one.close()

    theirs = read_back(moto, GROUP, STREAM)
    ours = read_back(double.url, GROUP, STREAM)

    assert theirs == ours
    assert len(theirs) == double.puts[0] > 10
    by_identity = {json.loads(message)["_cid"]: json.loads(message) for _, message in theirs}
    for index in range(len(theirs)):
        made_of = json.loads(lines[index])
        shown = by_identity[f"{'ab' * 16}:{index}"]
        assert shown["message"] == made_of["message"]
        assert (shown["service"], shown["host"]) == ("shop", "box")


def test_the_request_is_that_of_awss_own_client(double):
    """The same body, the same headers signed; nothing that AWS would read otherwise."""
    one = made(double.url, compress_logs=False)
    one.send(batch(line('quotes " \\ ä😀')))
    one.close()
    ours = double.requests[-1]
    content = json.loads(ours.body)
    client = boto3.client(
        "logs",
        region_name="eu-central-1",
        endpoint_url=double.url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    client.put_log_events(**content)
    client.close()
    theirs = double.requests[-1]

    assert json.loads(theirs.body) == content
    for name in ("content-type", "x-amz-target", "host"):
        assert ours.headers[name] == theirs.headers[name]
    assert signed_headers(ours) == signed_headers(theirs)


def signed_headers(request):
    found = re.search(r"SignedHeaders=([^,]+)", request.headers["authorization"])
    assert found is not None
    return set(found[1].split(";"))
