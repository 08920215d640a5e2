"""Rows as the API prints them, what a query took, its bounds, and its end before time."""

import threading
import time

import pytest

from clerestory.server.insights import (
    Bounds,
    Cancellation,
    ExecutionError,
    Scope,
    completions,
    manual,
    place_of,
    run,
)
from clerestory.server.insights.vocabulary import FUNCTIONS
from tests.server.insights.store import BASE_MS, Filled

RECORDS = [{"at": index, "n": index, "even": index % 2 == 0} for index in range(20)]


@pytest.fixture
def records(filled: Filled) -> Filled:
    filled.clear()
    filled.own(RECORDS)
    return filled


def test_a_row_has_texts_only_leaves_out_what_is_missing_and_ends_with_a_pointer(records: Filled):
    """This is the form of GetQueryResults; the pointer leads to GetLogRecord."""
    connection = records.querying()

    result = run(
        connection, "fields n, nope | limit 1", start_ms=BASE_MS, end_ms=BASE_MS + 99, scope=Scope()
    )

    connection.close()
    assert result.columns == ("n", "nope")
    row = result.fields()[0]
    assert [one["field"] for one in row] == ["n", "@ptr"]
    assert row[0]["value"] == "19"
    ns, spool, number = place_of(row[1]["value"])
    assert ns == (BASE_MS + 19) * 1_000_000
    assert spool.startswith("spool")
    assert number == 20


def test_a_row_of_stats_has_no_pointer(records: Filled):
    """It stands for many records."""
    connection = records.querying()

    result = run(connection, "stats count(*)", start_ms=BASE_MS, end_ms=BASE_MS + 99, scope=Scope())

    connection.close()
    assert result.rows == [{"count(*)": "20"}]


@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ("fields n", 20),
        ("filter n < 5", 5),
        ("filter n < 5 | limit 2", 5),
        ("filter n < 5 | stats count(*) by even", 5),
        ("filter n < 5 | stats count(*) by even | filter even = 'x'", 5),
        ("filter n < 5 | stats count(*) by even | stats count(*)", 5),
        ("filter n < 0", 0),
        ("filter n < 0 | stats count(*)", 0),
        ("filter n < 6 | dedup even", 6),
    ],
)
def test_the_statistics_count_the_records_of_the_filters(records: Filled, query: str, matched: int):
    """They are those of recordsMatched and recordsScanned, whatever is grouped afterwards."""
    connection = records.querying()

    found = run(connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 99, scope=Scope()).statistics

    connection.close()
    assert (found.records_matched, found.records_scanned) == (matched, 20)
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, 599_999),
        (1, 599_999),
        (59_999, 60_000),
        (60_000, 119_999),
        (60_001, 60_001),
        (61_000, 500_000),
        (120_000, 180_000),
        (700_000, 800_000),
    ],
)
def test_sums_of_whole_minutes_and_what_lies_beside_them_are_exact(
    filled: Filled, first: int, last: int
):
    """The store keeps them by the minute; a time may begin and end anywhere."""
    filled.clear()
    minute = BASE_MS - BASE_MS % 60_000 + 60_000 - BASE_MS
    records = [{"at": minute + at, "message": "x" * (at % 97)} for at in range(0, 600_000, 1_001)]
    filled.own(records)
    events = [(minute + at, f"{at} ä") for at in range(500, 600_000, 7_003)]
    filled.sent(events)
    connection = filled.querying()

    begin = BASE_MS + minute
    found = run(
        connection, "fields n", start_ms=begin + first, end_ms=begin + last, scope=Scope()
    ).statistics

    connection.close()
    texts = [(int(str(one["at"])), str(one["message"])) for one in records] + events
    within = [text for at, text in texts if first <= at - minute <= last]
    assert found.records_scanned == found.records_matched == len(within)
    assert found.bytes_scanned == sum(len(text.encode()) for text in within)


def test_both_ends_of_the_time_count(records: Filled):
    """The last second of StartQuery counts whole: its last millisecond is the end."""
    connection = records.querying()

    result = run(
        connection, "stats count(*)", start_ms=BASE_MS + 3, end_ms=BASE_MS + 5, scope=Scope()
    )

    connection.close()
    assert result.rows == [{"count(*)": "3"}]


def test_the_smaller_of_the_limits_holds(records: Filled):
    """A request may ask for less than the query, and the other way round."""
    connection = records.querying()

    def count(query: str, limit: int | None) -> int:
        found = run(
            connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 99, scope=Scope(), limit=limit
        )
        return len(found.rows)

    assert [count("fields n", None), count("fields n", 7), count("limit 5", 7)] == [20, 7, 5]
    assert count("limit 15", 7) == 7
    connection.close()


def test_a_capped_period_is_taken_with_a_warning(records: Filled):
    """CloudWatch takes bin(300s) as 60 seconds; a user should learn that."""
    connection = records.querying()

    result = run(
        connection,
        "stats count(*) by bin(300s)",
        start_ms=BASE_MS,
        end_ms=BASE_MS + 99,
        scope=Scope(),
    )

    connection.close()
    assert result.rows == [{"bin(300s)": "2023-11-14 22:13:00.000", "count(*)": "20"}]
    assert result.warnings == ("a period of 300s is taken as 60s",)


# every record with every record, six times over
LONG = "join left=a right=b where a.k = b.k (fields k) | " * 6 + "stats sum(n)"


@pytest.fixture
def many(filled: Filled) -> Filled:
    filled.clear()
    filled.own({"at": index, "n": index, "k": "same"} for index in range(2_000))
    return filled


def test_a_query_that_takes_too_long_is_a_timeout_and_no_shorter_result(many: Filled):
    """A result that was cut would look like the truth."""
    connection = many.querying()

    with pytest.raises(ExecutionError) as caught:
        run(
            connection,
            LONG,
            start_ms=BASE_MS,
            end_ms=BASE_MS + 9_999,
            scope=Scope(),
            bounds=Bounds(seconds=0.3, memory_bytes=20_000_000_000),
        )

    connection.close()
    assert caught.value.status == "Timeout"


def test_a_query_that_takes_too_much_memory_fails(many: Filled):
    """One query must not take the server down."""
    connection = many.querying()

    with pytest.raises(ExecutionError) as caught:
        run(
            connection,
            "fields @message | sort @message",
            start_ms=BASE_MS,
            end_ms=BASE_MS + 9_999,
            scope=Scope(),
            bounds=Bounds(memory_bytes=100_000),
        )

    connection.close()
    assert caught.value.status == "Failed"


def test_a_query_can_be_ended_from_another_thread(many: Filled):
    """StopQuery must free what the query takes, at once."""
    connection, other = many.querying(), many.querying()
    cancellation = Cancellation()
    errors: list[ExecutionError] = []

    def work() -> None:
        try:
            run(
                connection,
                LONG,
                start_ms=BASE_MS,
                end_ms=BASE_MS + 9_999,
                scope=Scope(),
                cancellation=cancellation,
            )
        except ExecutionError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        cancellation.cancel(other)
        thread.join(0.2)

    connection.close()
    other.close()
    assert [error.status for error in errors] == ["Cancelled"]


def test_the_manual_and_the_completions_name_everything_that_is_supported():
    """Both come from the registry, so a new function cannot be forgotten."""
    text = manual()
    offered = {one.name for one in completions()}

    for function in FUNCTIONS.values():
        assert f"`{function.name}" in text
        assert (function.name in offered) == (not function.refusal)
    assert "### stats" in text
    assert "| `histogram` |" in text
