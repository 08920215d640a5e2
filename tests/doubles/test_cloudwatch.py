"""The double of CloudWatch Logs beside moto's server, both asked by AWS's own client."""

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def double():
    with CloudWatchLogs() as one:
        yield one


def client(url, secret=SECRET):
    return boto3.client(
        "logs",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}, parameter_validation=False),
    )


def told(call, **arguments):
    """Return what came back that does not depend on who answers: the error, or some fields."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    kept = ("rejectedLogEventsInfo",)
    return {name: answer[name] for name in kept if name in answer}


def events(*ages_s, message="m"):
    now_ms = int(time.time() * 1000)
    return [{"timestamp": now_ms - int(age * 1000), "message": message} for age in ages_s]


NAMES = {"logGroupName": "/a/b", "logStreamName": "s"}
DAY_S = 24 * 3600
CALLS = [
    ("put_log_events", {**NAMES, "logEvents": events(0)}),
    ("create_log_stream", NAMES),
    ("create_log_group", {"logGroupName": "/a/b"}),
    ("create_log_group", {"logGroupName": "/a/b"}),
    ("put_log_events", {**NAMES, "logEvents": events(0)}),
    ("create_log_stream", NAMES),
    ("put_log_events", {**NAMES, "logEvents": events(60, 0)}),
    ("put_log_events", {**NAMES, "logEvents": events(0, 60)}),
    ("put_log_events", {**NAMES, "logEvents": events(0, -3 * 3600)}),
    ("put_retention_policy", {"logGroupName": "/a/b", "retentionInDays": 30}),
    ("put_retention_policy", {"logGroupName": "/none", "retentionInDays": 30}),
]


def test_awss_client_hears_the_same_from_the_double_and_from_moto(double, moto):
    """What moto leaves out, or has otherwise than the documents, is checked below."""
    ours, theirs = client(double.url), client(moto)
    answers = []

    for name, arguments in CALLS:
        answers.append((name, told(getattr(ours, name), **arguments),
                        told(getattr(theirs, name), **arguments)))  # fmt: skip

    differing = [answer for answer in answers if answer[1] != answer[2]]
    assert [name for name, *_ in differing] == []


def test_events_are_read_back_as_from_moto(double, moto):
    """Tests trust what the double says that it kept."""
    messages = ["a", 'ä"\\', "x" * 1000]
    read = []
    for url in (double.url, moto):
        one = client(url)
        one.create_log_group(logGroupName="/read")
        one.create_log_stream(logGroupName="/read", logStreamName="s")
        sent = [{"timestamp": 1795305600123 + n, "message": m} for n, m in enumerate(messages)]
        now_ms = int(time.time() * 1000)
        sent = [{**event, "timestamp": now_ms + n} for n, event in enumerate(sent)]
        one.put_log_events(logGroupName="/read", logStreamName="s", logEvents=sent)
        answer = one.get_log_events(logGroupName="/read", logStreamName="s", startFromHead=True)
        read.append([event["message"] for event in answer["events"]])
        assert one.describe_log_streams(logGroupName="/read")["logStreams"][0]["logStreamName"]
        assert one.describe_log_groups(logGroupNamePrefix="/re")["logGroups"]

    assert read[0] == read[1] == messages


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (events(*[0] * 10_001), "InvalidParameterException"),
        (events(0, message="x" * 1_048_551), "InvalidParameterException"),
        (events(0, message="é" * 524_276), "InvalidParameterException"),
        (events(0, message=""), "InvalidParameterException"),
        (events(0, 60), "InvalidParameterException"),
        (events(DAY_S + 1, 0), "InvalidParameterException"),
        (events(*[0] * 10_000), None),
        (events(0, message="x" * 1_048_550), None),
    ],
)
def test_the_documented_limits_are_enforced(double, sent, code):
    """A double that lets more through than AWS would prove nothing."""
    one = client(double.url)
    one.create_log_group(logGroupName="/a/b")
    one.create_log_stream(**NAMES)

    answer = told(one.put_log_events, **NAMES, logEvents=sent)

    assert answer == {} if code is None else answer[0] == code


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (events(0), {}),
        (events(13 * DAY_S), {}),
        (events(15 * DAY_S, 14.5 * DAY_S), {"tooOldLogEventEndIndex": 2}),
        (events(14.1 * DAY_S, 13.9 * DAY_S), {"tooOldLogEventEndIndex": 1}),
        (events(0, -3 * 3600, -4 * 3600), {"tooNewLogEventStartIndex": 1}),
    ],
)
def test_single_events_out_of_time_are_rejected_as_the_model_documents_it(double, sent, expected):
    """The end of the old ones is exclusive, the start of the new ones inclusive."""
    one = client(double.url)
    one.create_log_group(logGroupName="/a/b")
    one.create_log_stream(**NAMES)

    answer = told(one.put_log_events, **NAMES, logEvents=sent)

    assert answer.get("rejectedLogEventsInfo", {}) == expected
    assert len(double.events("/a/b")) == len(sent) - (expected.get("tooOldLogEventEndIndex", 0) + (
        len(sent) - expected.get("tooNewLogEventStartIndex", len(sent))
    ))  # fmt: skip


def test_a_stream_that_exists_is_told_in_awss_words(double):
    """moto says here that the group exists."""
    one = client(double.url)
    one.create_log_group(logGroupName="/a/b")
    one.create_log_stream(**NAMES)

    answer = told(one.create_log_stream, **NAMES)

    text = "The specified log stream already exists"
    assert answer == ("ResourceAlreadyExistsException", text)


def test_a_wrong_secret_key_is_found_out(double):
    """Else a signature of ours could be anything."""
    answer = told(client(double.url, secret="other").describe_log_groups)

    assert answer[0] == "InvalidSignatureException"


def test_a_wrong_clock_is_found_out(double):
    """And the answer says what time it is."""
    double.clock_s = 4 * 3600

    code, text = told(client(double.url).describe_log_groups)

    assert code == "InvalidSignatureException"
    assert "Signature expired" in text
