"""PutLogEvents: what is taken, what is refused, in which words and in which order."""

import gzip
import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from clerestory.server.aws.endpoint import decode
from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.operations.putting import decode_fast, put_of
from clerestory.server.aws.protocol import shapes
from tests.server.aws.conftest import DAY_MS, HOUR_MS, client, found, now_ms, put

TARGET = {"X-Amz-Target": "Logs_20140328.PutLogEvents"}


def post(server, content, **headers):
    """Send a body as it is; return status and answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, answer, _ = server.call("POST", "/", body, TARGET | headers)
    return status, json.loads(answer)


def request_of(group, *events, stream="s"):
    return {
        "logGroupName": group,
        "logStreamName": stream,
        "logEvents": [{"timestamp": at, "message": text} for at, text in events],
    }


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        '{"a": 1}',
        "tab\tand\nline",
        "ünï\U0001f600",
        "\x00nul",
        ' {"a":1} ',
        "{",
        '"x"',
        "[1]",
    ],
)
def test_a_message_comes_back_byte_for_byte(logs, group, text):
    """Where it looks like JSON, too."""
    put(logs, group, text)

    assert found(logs, group) == [text]


def test_an_answer_holds_a_token_that_nobody_needs(logs, group):
    """Old clients send it back and stop without one."""
    first = put(logs, group, "a")["nextSequenceToken"]

    again = logs.put_log_events(
        logGroupName=group, logStreamName="s", sequenceToken="wrong",
        logEvents=[{"timestamp": now_ms(), "message": "b"}],
    )  # fmt: skip

    assert first
    assert again["nextSequenceToken"]
    assert found(logs, group) == ["a", "b"]


def test_a_json_message_is_searchable_like_every_other_record(server, logs, group):
    """Level, message, trace and fields of the page come from the event's JSON."""
    trace = "0AF7651916CD43DD8448EB211C80319C"
    put(
        logs,
        group,
        json.dumps({"level": "warn", "message": "it is slow", "trace_id": trace, "n": 5}),
    )

    (row,) = server.rows(f'service:"{group}" level:warning trace:{trace.lower()} n:5 slow')

    assert row["message"] == "it is slow"
    assert row["attrs"] == {"level": "warn", "trace_id": trace, "n": 5}


def test_a_text_message_is_the_record_s_message(server, logs, group):
    """Else the page would show an empty line."""
    put(logs, group, "GET /orders 200")

    (row,) = server.rows(f'service:"{group}" orders')

    assert (row["message"], row["level"], row["attrs"]) == ("GET /orders 200", "INFO", {})


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (
            lambda now: [(now, "b"), (now - 1, "a")],
            "Log events in a single PutLogEvents request must be in chronological order.",
        ),
        (
            lambda now: [(now - DAY_MS - 1, "a"), (now, "b")],
            (
                "The batch of log events in a single PutLogEvents request cannot span more than "
                "24 hours."
            ),
        ),
        (
            lambda now: [(now, "é" * 300_000), (now, "é" * 300_000)],
            "Upload too large: 1200052 bytes exceeds limit of 1048576",
        ),
        (
            lambda now: [],
            (
                "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy "
                "constraint: Member must have length greater than or equal to 1"
            ),
        ),
        (
            lambda now: [(-1, "a"), (now, "")],
            (
                "2 validation errors detected: Value '-1' at 'logEvents.1.member.timestamp' "
                "failed to satisfy constraint: Member must have value greater than or equal to 0; "
                "Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member "
                "must have length greater than or equal to 1"
            ),
        ),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused_whole(server, logs, group, events, text):
    """The texts are AWS's; the size counts bytes, not characters."""
    status, told = post(server, request_of(group, *events(now_ms())))

    assert status == 400
    assert (told["__type"], told["message"]) == ("InvalidParameterException", text)
    assert found(logs, group) == []


def test_the_group_is_missed_before_the_stream_and_both_before_the_order(server, group):
    """Shippers create what they are told is missing, one after the other."""
    now = now_ms()
    unsorted = [(now, "b"), (now - 1, "a")]

    no_group = post(server, request_of("nosuch", *unsorted))
    no_stream = post(server, request_of(group, *unsorted, stream="nosuch"))

    assert no_group[1]["message"] == "The specified log group does not exist."
    assert no_stream[1]["message"] == "The specified log stream does not exist."
    assert no_stream[1]["__type"] == "ResourceNotFoundException"


def test_only_the_ends_that_are_out_of_time_are_rejected(server, logs, group):
    """The middle of the batch is stored, and the answer counts the rest."""
    now = now_ms()
    late = post(server, request_of(group, (now, "in"), (now + 3 * HOUR_MS, "new")))
    early = post(
        server,
        request_of(group, (now - 14 * DAY_MS - 5000, "old"), (now - 14 * DAY_MS + 60_000, "just")),
    )

    assert late[1]["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert early[1]["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert found(logs, group) == ["just", "in"]


def test_a_bad_entity_keeps_no_event_out(server, logs, group):
    """As on AWS: the answer tells of it."""
    content = request_of(group, (now_ms(), "kept"))

    bad = post(server, content | {"entity": {"keyAttributes": {"Type": "Service"}}})[1]
    good = post(server, content | {"entity": {"keyAttributes": {"Type": "Service", "Name": "x"}}})[
        1
    ]

    assert bad["rejectedEntityInfo"] == {"errorType": "InvalidEntity"}
    assert "rejectedEntityInfo" not in good
    assert found(logs, group) == ["kept", "kept"]


def test_a_gzip_body_is_taken(server, logs, group):
    """The CloudWatch agent and Vector send them."""
    body = gzip.compress(json.dumps(request_of(group, (now_ms(), "small"))).encode())

    status, _ = post(server, body, **{"Content-Encoding": "gzip"})

    assert status == 200
    assert found(logs, group) == ["small"]


def test_a_parameter_that_this_server_does_not_know_is_refused(server, group):
    """It never succeeds as if the parameter had worked."""
    status, told = post(server, request_of(group, (now_ms(), "x")) | {"newThing": 1})

    assert status == 400
    assert "newThing" in told["message"]


def test_ten_thousand_events_of_one_request_keep_their_order(server, group):
    """All have the same millisecond; the order is that of the request."""
    logs = client(server.url)
    texts = [f"event {i:05d} {random.random()}" for i in range(10_000)]
    now = now_ms()

    logs.put_log_events(
        logGroupName=group, logStreamName="s",
        logEvents=[{"timestamp": now, "message": text} for text in texts],
    )  # fmt: skip

    assert found(logs, group) == texts
    with pytest.raises(ClientError):
        logs.put_log_events(
            logGroupName=group, logStreamName="s",
            logEvents=[{"timestamp": now, "message": "x"}] * 10_001,
        )  # fmt: skip


def test_events_of_one_time_keep_the_order_of_their_requests(server, logs, group):
    """Texts and JSON go different ways through the store."""
    at = now_ms()
    wanted = [text for n in range(10) for text in (f"text {n}", f'{{"n": {n}}}')]
    with ThreadPoolExecutor(1) as other:
        noise = other.submit(lambda: [put(client(server.url), group, "noise") for _ in range(30)])
        for text in wanted:
            put(logs, group, text, at=at)
        noise.result()

    assert [text for text in found(logs, group) if text != "noise"] == wanted


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": st.integers(-1, 2**62) | ODD,
        "message": st.text(max_size=5) | ODD,
        "extra": ODD,
    },
)
REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "logGroupName": st.sampled_from(["g", "/a.b-c_d#1", "", "a b", "g\n", "x" * 513]) | ODD,
        "logStreamName": st.sampled_from(["s", "", "a:b", "a*", "s\n", "x" * 513]) | ODD,
        "logEvents": st.lists(EVENT, max_size=3) | ODD,
        "sequenceToken": st.sampled_from(["", "t"]) | ODD,
        "entity": ODD,
        "unknown": ODD,
    },
)


def outcome(read):
    try:
        put = read()
    except AwsError as error:
        return error.code, str(error)
    return [put.logGroupName, put.logStreamName, [(e.timestamp, e.message) for e in put.logEvents]]


@given(REQUEST)
def test_the_fast_way_takes_nothing_that_the_model_refuses(content):
    """What it refuses goes through the model, so the errors are the model's in any case."""
    body = json.dumps(content).encode()

    fast = decode_fast(body)

    if fast is not None:
        slow = outcome(lambda: put_of(shapes.check("PutLogEvents", decode(body))))
        assert outcome(lambda: fast) == slow


def test_the_fast_way_is_the_way_of_a_usual_request():
    """If it refused them all, the test above would hold as well."""
    body = json.dumps(request_of("/a/b", (now_ms(), "x"), (now_ms(), "é"))).encode()

    assert decode_fast(body) is not None
