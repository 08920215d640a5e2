"""The body of PutLogEvents and what limits it."""

import json
from typing import ClassVar

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.wire.services import cloudwatch as wire

SPOOL = "0123456789abcdef0123456789abcdef"
NS = 1795314823428724290
MS = 1795314823428
DAY_MS = 24 * 3600 * 1000
FORM = wire.Form(spool_id=SPOOL)


def line(ms=MS, message="m", **fields):
    head = {"timestamp": ms * 1_000_000, "level": "INFO", "logger": "shop", "message": message}
    return json.dumps({**head, **fields}, ensure_ascii=False, separators=(",", ":")).encode()


def joined(rows):
    return b"".join(row + b"\n" for row in rows)


def messages_of(events):
    return [json.loads(one)["message"] for one in events.each()]


def of_size(size, number):
    """Return a line whose message is so many bytes long."""
    overhead = len(messages_of(wire.cut(joined([line(message="")]), number, FORM)[1])[0])
    return line(message="x" * (size - overhead))


def test_golden_bytes():
    """What is sent, byte for byte."""
    rows = [
        b'{"timestamp":1795314823428724290,"level":"INFO","logger":"s","message":"\\"b\\"\xc3\xa4"}',
        b'{"timestamp":1795314823429000001,"level":"ERROR","logger":"s","message":"c","n":1}',
    ]
    form = wire.Form(spool_id=SPOOL, common=wire.origin({"service.name": "s", "host.name": "h"}))

    taken, events = wire.cut(joined(rows), 7, form)

    assert taken == 2
    assert b"".join(wire.body("g", "s", events)) == (
        b'{"logGroupName":"g","logStreamName":"s","logEvents":['
        b'{"timestamp":1795314823428,"message":"{\\"timestamp\\":\\"2026-11-22T02:33:43.428724290Z\\",'
        b'\\"level\\":\\"INFO\\",\\"logger\\":\\"s\\",'
        b'\\"message\\":\\"\\\\\\"b\\\\\\"\xc3\xa4\\",'
        b'\\"service\\":\\"s\\",\\"host\\":\\"h\\",\\"_cid\\":\\"0123456789abcdef0123456789abcdef:7\\"}"},'
        b'{"timestamp":1795314823429,"message":"{\\"timestamp\\":\\"2026-11-22T02:33:43.429000001Z\\",'
        b'\\"level\\":\\"ERROR\\",\\"logger\\":\\"s\\",\\"message\\":\\"c\\",\\"n\\":1,'
        b'\\"service\\":\\"s\\",\\"host\\":\\"h\\",\\"_cid\\":\\"0123456789abcdef0123456789abcdef:8\\"}"}]}'
    )


def test_the_body_is_that_of_boto3():
    """AWS's own client makes the same JSON of the same events."""
    _, events = wire.cut(joined([line(message='ä"\\'), line(MS + 1)]), 0, FORM)
    client = boto3.client(
        "logs", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    made = []

    def keep(request, **_more):
        made.append(request)
        return _Sent()

    client.meta.events.register("before-send.cloudwatch-logs.PutLogEvents", keep)

    client.put_log_events(
        logGroupName="g",
        logStreamName="s",
        logEvents=[
            {"timestamp": int(moment), "message": message}
            for moment, message in zip(events.times, messages_of(events), strict=True)
        ],
    )

    assert json.loads(b"".join(wire.body("g", "s", events))) == json.loads(made[0].body)
    assert made[0].headers["X-Amz-Target"] == b"Logs_20140328.PutLogEvents"
    assert made[0].headers["Content-Type"] == b"application/x-amz-json-1.1"


class _Sent:
    status_code = 200
    headers: ClassVar[dict[str, str]] = {}
    content = b"{}"
    raw = None


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=6), st.one_of(st.text(max_size=20), st.integers(), st.none())
        ),
        max_size=8,
    )
)
def test_any_record_comes_back_whole(records):
    """What CloudWatch shows is what was logged, with time and identity."""
    rows = [
        line(MS + number, **{f"f.{k}": v for k, v in record.items()})
        for number, record in enumerate(records)
    ]

    taken, events = wire.cut(joined(rows), 3, FORM)
    sent = json.loads(b"".join(wire.body("g", "s", events)))["logEvents"]

    assert taken == len(rows)
    for number, event in enumerate(sent):
        shown = json.loads(event["message"])
        made = json.loads(rows[number])
        assert event["timestamp"] == MS + number
        assert shown.pop("_cid") == f"{SPOOL}:{3 + number}"
        assert shown.pop("timestamp").startswith("2026-11-22T02:33:43.")
        made.pop("timestamp")
        assert shown == made


def test_a_large_batch_is_cut_as_its_lines_are_one_by_one():
    """Slices meet in the middle; letters of any alphabet and odd lines stand among the others."""
    rows = [line(MS + n, f'größe {n} "q"\\n' * (n % 40), path="C:\\x", n=n) for n in range(900)]
    rows[300] = b'{"timestamp":1795314823428724290,"message":"bad \xff"}'
    rows[301] = b""
    rows[600] = line(MS + 600, "mine", _cid="own")

    taken, events = wire.cut(joined(rows), 5, FORM)

    alone = [wire.cut(joined([row]), 5 + n, FORM)[1] for n, row in enumerate(rows)]
    assert taken == len(rows)
    assert len(joined(rows)) > 5 * 32_768
    assert list(events.indices) == [n for n in range(900) if n != 301]
    assert messages_of(events) == [text for one in alone for text in messages_of(one)]
    assert events.times == [moment for one in alone for moment in one.times]


_TIMES = st.sampled_from(
    [b"", b'{"timestamp":%d' % NS, b'{"timestamp":%d,' % (NS + 10**15), b'{"timestamp":1,"a":']
)
_TAILS = st.sampled_from([b"", b"}", b',"a":"\xff"}', b',"message":1}', wire.TEXT_MARK, b"\x00}"])
_ROWS = st.tuples(_TIMES, st.binary(max_size=30), _TAILS).map(
    lambda parts: b"".join(parts).replace(b"\n", b"")
)


@given(st.lists(_ROWS, min_size=1, max_size=30), st.booleans())
def test_whatever_lines_hold_requests_keep_to_the_limits(rows, text):
    """A spool of another version, a torn line: no error, no endless loop, nothing over a limit."""
    form = wire.Form(spool_id=SPOOL, text=text, message_bytes=400, batch_bytes=2000)
    lines, first = joined(rows), 0
    while lines:
        taken, events = wire.cut(lines, first, form)
        events, _ = wire.set_aside(events.by_time(), MS)
        sent = json.loads(b"".join(wire.body("g", "s", events)))["logEvents"]

        assert taken >= 1
        assert sum(len(event["message"].encode()) + 26 for event in sent) <= 2000 * 3
        times = [event["timestamp"] for event in sent]
        assert times == sorted(times)
        assert not times or times[-1] - times[0] <= DAY_MS
        assert all(event["message"] for event in sent)
        lines = b"\n".join(lines.split(b"\n")[taken:])
        first += taken

    assert first == len(rows)


@pytest.mark.parametrize("row", [
    b'{"timestamp":1795314823428724290,"_cid":"other:1","message":"m"}',
    b'{"timestamp":"2026-11-22T02:33:43Z","message":"m"}',
    b'{"message":"m"}',
    b"no json",
    b"[1]",
])  # fmt: skip
def test_an_odd_line_harms_no_other(row):
    """A line that cannot be cut at fixed places takes the slow way; its neighbours are right."""
    taken, events = wire.cut(joined([line(), row, line(MS + 1)]), 0, FORM)

    assert taken == 3
    assert json.loads(messages_of(events)[0])["_cid"] == f"{SPOOL}:0"
    assert json.loads(messages_of(events)[2])["_cid"] == f"{SPOOL}:2"
    assert all(len(moment) >= 13 for moment in events.times)
    json.loads(b"".join(wire.body("g", "s", events)))


def test_a_line_of_another_century_goes_alone():
    """Its neighbours must not fall to the limit of 24 hours."""
    taken, events = wire.cut(joined([line(), b'{"timestamp":12,"message":"m"}']), 0, FORM)

    assert (taken, len(messages_of(events))) == (1, 1)
    assert wire.cut(b'{"timestamp":12,"message":"m"}\n', 0, FORM)[1].times == ["0000000000000"]


def test_a_line_without_a_time_has_that_of_the_line_before():
    """AWS takes no event without one."""
    _, events = wire.cut(joined([line(), b'{"message":"m"}']), 0, FORM)

    assert list(events.times) == [str(MS), str(MS)]


def test_a_field_named_like_ours_is_kept():
    """Two members of one name would be one too many."""
    form = wire.Form(spool_id=SPOOL, common=wire.origin({"service.name": "shop"}))

    _, events = wire.cut(joined([line(service="mine"), line()]), 0, form)

    assert [json.loads(message)["service"] for message in messages_of(events)] == ["mine", "shop"]


def test_filtered_lines_keep_the_numbers_of_the_others():
    """An empty line is no record, and is settled with those before it."""
    taken, events = wire.cut(b"\n" + line() + b"\n\n" + line() + b"\n\n", 10, FORM)

    assert taken == 5
    assert list(events.indices) == [1, 3]
    assert json.loads(messages_of(events)[1])["_cid"] == f"{SPOOL}:13"


def test_only_filtered_lines_are_settled_without_an_event():
    """An empty request is an error."""
    assert wire.cut(b"\n\n\n", 0, FORM)[0] == 3


def cut_sizes(sizes, first=0):
    rows = [of_size(size, first) for size in sizes]
    return wire.cut(joined(rows), first, FORM)


def test_a_request_of_exactly_1_048_576_bytes_is_one():
    """Requests are as large as AWS takes."""
    half = wire.BATCH_BYTES_MAX // 2 - wire.EVENT_BYTES

    taken, events = cut_sizes([half, half])

    assert taken == 2
    assert sum(len(one.encode()) for one in messages_of(events)) + 2 * 26 == 1_048_576


def test_one_byte_more_is_two():
    """AWS would refuse the whole request."""
    half = wire.BATCH_BYTES_MAX // 2 - wire.EVENT_BYTES

    taken, events = cut_sizes([half, half + 1])

    assert taken == 1
    assert len(messages_of(events)) == 1


def test_bytes_are_counted_not_characters():
    """A character of three bytes counts three."""
    rows = [line(message="日" * 170_000), line(message="日" * 170_000), line(message="日" * 20_000)]

    taken, _ = wire.cut(joined(rows), 0, FORM)

    assert taken == 2


@pytest.mark.parametrize(("count", "expected"), [(10_000, 10_000), (10_001, 10_000)])
def test_a_request_has_at_most_10_000_events(count, expected):
    """AWS would refuse the whole request."""
    short = b'{"timestamp":%d,"message":"m"}' % NS

    taken, events = wire.cut(joined([short] * count), 0, wire.Form(spool_id=SPOOL, text=True))

    assert taken == expected
    assert len(messages_of(events)) == expected


@pytest.mark.parametrize(("span_ms", "expected"), [(DAY_MS, 3), (DAY_MS + 1, 2)])
def test_a_request_spans_at_most_24_hours(span_ms, expected):
    """AWS would refuse the whole request."""
    rows = [line(MS), line(MS + 5), line(MS + span_ms)]

    assert wire.cut(joined(rows), 0, FORM)[0] == expected


def test_an_old_record_beside_fresh_ones_goes_alone():
    """And the fresh ones behind it with the next request."""
    rows = [line(MS), line(MS - 25 * 3_600_000), line(MS + 1)]

    first, _ = wire.cut(joined(rows), 0, FORM)
    second, _ = wire.cut(joined(rows[1:]), 1, FORM)

    assert (first, second) == (1, 1)


def test_events_are_ordered_by_time_and_then_by_number():
    """AWS refuses a request that is not in order."""
    rows = [line(MS + 2, "c"), line(MS, "a"), line(MS + 1, "b1"), line(MS + 1, "b2")]

    _, events = wire.cut(joined(rows), 0, FORM)
    ordered = events.by_time()

    assert [json.loads(m)["message"] for m in messages_of(ordered)] == ["a", "b1", "b2", "c"]
    assert list(ordered.indices) == [1, 2, 3, 0]


def test_a_batch_that_comes_again_is_cut_in_the_same_place():
    """Whatever came behind it in the meantime."""
    rows = [line(MS + (n * 7919) % 1000, "x" * (n % 5000)) for n in range(2000)]
    whole = joined(rows)

    taken, events = wire.cut(whole, 0, FORM)
    again = wire.cut(joined([*rows, *rows]), 0, FORM)

    assert taken < 2000
    assert again == (taken, events)


OLD_MS = 14 * DAY_MS - 5 * 60_000
AHEAD_MS = 2 * 3_600_000 - 60_000


@pytest.mark.parametrize(
    ("ms", "reason"),
    [
        (MS - OLD_MS, None),
        (MS - OLD_MS - 1, "too_old"),
        (MS + AHEAD_MS, None),
        (MS + AHEAD_MS + 1, "too_new"),
    ],
)
def test_what_cloudwatch_would_reject_is_set_aside(ms, reason):
    """The edges lie 5 minutes and 1 minute inside AWS's own, for clocks that differ."""
    _, events = wire.cut(joined([line(ms)]), 0, FORM)

    kept, aside = wire.set_aside(events, MS)

    assert aside == ([(0, reason)] if reason else [])
    assert len(messages_of(kept)) == (0 if reason else 1)


def test_a_message_of_exactly_the_limit_goes_as_it_is():
    """Not a byte is cut that AWS would have taken."""
    _, events = cut_sizes([wire.MESSAGE_BYTES_MAX])

    assert len(messages_of(events)[0]) == 1_048_550
    assert "_truncated_bytes" not in json.loads(messages_of(events)[0])


def test_a_longer_message_is_shortened_and_says_so():
    """By one byte, and still valid JSON with its identity."""
    taken, events = cut_sizes([wire.MESSAGE_BYTES_MAX + 1, 200])

    shown = json.loads(messages_of(events)[0])
    assert taken == 1
    assert len(messages_of(events)[0]) <= 1_048_550
    assert shown["_cid"] == f"{SPOOL}:0"
    assert shown["_truncated_bytes"] > 0


def test_a_300_kb_message_goes_whole():
    """The limit was 256 KB once, and other libraries still cut there."""
    _, events = wire.cut(joined([line(message="x" * 300_000)]), 0, FORM)

    assert json.loads(messages_of(events)[0])["message"] == "x" * 300_000


def test_a_formatted_text_is_the_whole_message():
    """What a formatter made is shown as it is, as watchtower does."""
    row = line(message='[x] "quoted"\n  second line\té')[:-1] + wire.TEXT_MARK

    _, events = wire.cut(joined([row, line()]), 0, FORM)
    sent = json.loads(b"".join(wire.body("g", "s", events)))["logEvents"]

    assert sent[0]["message"] == '[x] "quoted"\n  second line\té'
    assert json.loads(sent[1]["message"])["message"] == "m"


@pytest.mark.parametrize("message", ["", "日" * 500_000])
def test_a_text_is_never_empty_nor_too_long(message):
    """AWS takes neither; a character is not cut in two."""
    form = wire.Form(spool_id=SPOOL, text=True)

    _, events = wire.cut(joined([line(message=message)]), 0, form)

    assert 1 <= len(messages_of(events)[0]) <= wire.MESSAGE_BYTES_MAX
    messages_of(events)[0].encode()


def test_rejected_ranges_name_exactly_their_lines():
    """The answer counts events as they were sent, ordered by time; we count lines."""
    rows = [line(MS + 3), line(MS), line(MS + 1), line(MS + 2)]
    events = wire.cut(joined(rows), 0, FORM)[1].by_time()
    answer = {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}}

    refused = wire.refusals(json.dumps(answer).encode(), events)

    assert refused == [(0, "too_new"), (1, "too_old")]


def test_expired_events_are_named():
    """Those beyond the retention of the group."""
    events = wire.cut(joined([line(MS), line(MS + 1)]), 0, FORM)[1]
    answer = b'{"rejectedLogEventsInfo":{"expiredLogEventEndIndex":1}}'

    assert wire.refusals(answer, events) == [(0, "expired")]


def test_an_answer_without_rejections_refuses_nothing():
    """The usual case costs no parsing."""
    events = wire.cut(joined([line()]), 0, FORM)[1]

    assert wire.refusals(b'{"nextSequenceToken":"1"}', events) == []
