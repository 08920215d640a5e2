"""GetLogEvents, FilterLogEvents, GetLogRecord, GetLogGroupFields: pages, bounds, order."""

import itertools
import json
import re

import pytest

from tests.server.aws.conftest import found, now_ms, put


def texts(answer):
    return [event["message"] for event in answer["events"]]


def all_forward(logs, group, limit):
    """Read a stream as clients do: until the token that was handed in comes back."""
    given = {"logGroupName": group, "logStreamName": "s", "startFromHead": True, "limit": limit}
    pages: list[list[str]] = []
    token = None
    while True:
        answer = logs.get_log_events(**given, **({"nextToken": token} if token else {}))
        if answer["nextForwardToken"] == token:
            assert answer["events"] == []
            return pages
        pages.append(texts(answer))
        token = answer["nextForwardToken"]


@pytest.mark.parametrize("limit", [1, 3, 10, 11, 100])
def test_forward_pages_hold_every_event_once(logs, group, limit):
    """Pages that end exactly at the last event, too."""
    wanted = [f"e{i}" for i in range(11)]
    put(logs, group, *wanted)

    pages = all_forward(logs, group, limit)

    assert [text for page in pages for text in page] == wanted
    assert all(len(page) <= limit for page in pages)


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 50])
@pytest.mark.parametrize("is_head", [True, False])
def test_events_of_one_time_keep_the_order_of_their_arrival_on_every_page(
    logs, group, limit, is_head
):
    """A page may end among them; those that a filter leaves out do not count."""
    at = now_ms() - 100
    events = [
        [(at + 1, "b0 yes"), (at + 1, "b1 no"), (at + 1, "b2 yes")],
        [(at, "a0 yes"), (at + 1, "b3 yes"), (at + 2, "c0 no")],
        [(at + 1, "b4 yes"), (at + 1, "b5 no"), (at + 3, "d0 yes")],
    ]
    for each in events:
        made = [{"timestamp": moment, "message": text} for moment, text in each]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=made)
    wanted = [text for _, text in sorted(itertools.chain(*events), key=lambda event: event[0])]
    given = {"startFromHead": is_head, "PaginationConfig": {"PageSize": limit}}

    every = found(logs, group, **given)
    kept = found(logs, group, filterPattern="yes", **given)

    order = 1 if is_head else -1
    assert every == wanted[::order]
    assert kept == [text for text in wanted if text.endswith("yes")][::order]


def test_without_a_token_the_newest_page_comes_in_ascending_order(logs, group):
    """Backwards through a stream and forward again."""
    put(logs, group, *[f"e{i}" for i in range(7)])
    given = {"logGroupName": group, "logStreamName": "s", "limit": 3}

    last = logs.get_log_events(**given)
    middle = logs.get_log_events(**given, nextToken=last["nextBackwardToken"])
    first = logs.get_log_events(**given, nextToken=middle["nextBackwardToken"])
    end = logs.get_log_events(**given, nextToken=first["nextBackwardToken"])

    assert [texts(one) for one in (last, middle, first, end)] == [
        ["e4", "e5", "e6"], ["e1", "e2", "e3"], ["e0"], [],
    ]  # fmt: skip
    assert end["nextBackwardToken"] == first["nextBackwardToken"]
    again = logs.get_log_events(**given, nextToken=end["nextForwardToken"])
    assert texts(again) == ["e0", "e1", "e2"]


def test_a_forward_token_of_an_empty_stream_finds_what_comes_later(logs, group):
    """How `tail` is made of GetLogEvents."""
    given = {"logGroupName": group, "logStreamName": "s"}
    empty = logs.get_log_events(**given)
    put(logs, group, "later")

    answer = logs.get_log_events(**given, nextToken=empty["nextForwardToken"])

    assert texts(answer) == ["later"]


def test_the_end_time_is_out_for_get_and_in_for_filter(logs, group):
    """The two calls differ, and AWS means it."""
    at = now_ms() - 100
    put(logs, group, "a", "b", "c", at=at)
    bounds = {"startTime": at, "endTime": at + 2, "logGroupName": group}

    got = logs.get_log_events(**bounds, logStreamName="s")

    assert texts(got) == ["a", "b"]
    assert texts(logs.filter_log_events(**bounds)) == ["a", "b", "c"]


def test_a_page_holds_a_megabyte_at_most_and_nothing_is_lost(logs, group):
    """Large events must neither fill the memory nor fall between pages."""
    wanted = [f"{i:02d}" + "x" * 250_000 for i in range(10)]
    for start in range(0, 10, 4):
        put(logs, group, *wanted[start : start + 4])

    first = logs.filter_log_events(logGroupName=group)

    assert 1 <= len(first["events"]) <= 4
    assert sorted(found(logs, group)) == wanted
    assert sorted(text for page in all_forward(logs, group, 100) for text in page) == wanted


def test_filter_gives_the_newest_first_when_asked(logs, group):
    """The token keeps the direction."""
    wanted = [f"e{i}" for i in range(5)]
    put(logs, group, *wanted)

    answer = logs.filter_log_events(logGroupName=group, startFromHead=False, limit=3)
    rest = logs.filter_log_events(logGroupName=group, nextToken=answer["nextToken"], limit=3)

    assert texts(answer) + texts(rest) == wanted[::-1]
    assert "nextToken" not in rest


def test_filter_looks_in_the_streams_that_are_named(logs, group):
    """A stream that is not there is an error, as on AWS."""
    for stream in ("web-1", "web-2", "db"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        put(logs, group, stream, stream=stream)

    assert set(found(logs, group, logStreamNames=["web-1", "db"])) == {"web-1", "db"}
    assert set(found(logs, group, logStreamNamePrefix="web-")) == {"web-1", "web-2"}
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        found(logs, group, logStreamNames=["nosuch"])
    with pytest.raises(logs.exceptions.InvalidParameterException):
        found(logs, group, logStreamNames=["db"], logStreamNamePrefix="d")


def test_every_event_has_an_id_of_its_own(logs, group):
    """Clients drop events whose id they have seen."""
    put(logs, group, *["same"] * 20, at=now_ms() - 100)
    put(logs, group, *["same"] * 20, at=now_ms() - 100)

    ids = [event["eventId"] for event in logs.filter_log_events(logGroupName=group)["events"]]

    assert len(set(ids)) == 40
    assert all(re.fullmatch(r"\d{56}", one) for one in ids)


def test_a_group_may_be_named_by_its_arn(logs, group):
    """DescribeLogGroups gives one with a star, which may be handed back."""
    put(logs, group, "x")
    arn = f"arn:aws:logs:eu-central-1:000000000000:log-group:{group}"

    for identifier in (arn, f"{arn}:*", group):
        answer = logs.filter_log_events(logGroupIdentifier=identifier)
        assert texts(answer) == ["x"]


def test_the_pointer_of_a_query_leads_to_the_whole_record(logs, group):
    """With level as it was written, not as we read it."""
    text = json.dumps({"level": "warn", "message": "m", "deep": {"a": [1]}, "n": "42"})
    put(logs, group, text)
    now = now_ms() // 1000
    query = logs.start_query(
        logGroupName=group, startTime=now - 60, endTime=now + 60, queryString="fields n"
    )["queryId"]
    while (answer := logs.get_query_results(queryId=query))["status"] in ("Scheduled", "Running"):
        pass
    (row,) = answer["results"]
    pointer = next(one["value"] for one in row if one["field"] == "@ptr")

    record = logs.get_log_record(logRecordPointer=pointer)["logRecord"]

    assert record["@message"] == text
    assert record["@log"] == f"000000000000:{group}"
    assert record["@logStream"] == "s"
    assert (record["level"], record["n"], record["deep"]) == ("warn", "42", '{"a":[1]}')
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.get_log_record(logRecordPointer="nonsense")


def test_the_fields_of_a_group_come_with_how_often_they_are_there(logs, group):
    """Of the last quarter of an hour, unless a time is named."""
    put(logs, group, '{"a": 1, "b": 2}', '{"a": 1}', "text", "text")

    shown = {
        one["name"]: one["percent"]
        for one in logs.get_log_group_fields(logGroupName=group)["logGroupFields"]
    }

    assert shown["@message"] == 100
    assert (shown["a"], shown["b"]) == (50, 25)
    early = logs.get_log_group_fields(logGroupName=group, time=now_ms() // 1000 - 3600)
    assert early["logGroupFields"] == []
