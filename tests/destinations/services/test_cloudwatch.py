"""Records on their way to CloudWatch Logs, beside a double that enforces its limits."""

import time

import pytest

from clerestory.model.errors import HoldError, RefusedError, RetryError, TooLargeError
from clerestory.spool.letters import DeadLetters
from tests.contracts.case import Road
from tests.contracts.case import line as contract_line
from tests.doubles.cloudwatch import CloudWatchLogs, error
from tests.support.cloudwatch import DAY_S, GROUP, HOUR_S, batch, line, made


@pytest.fixture
def double():
    with CloudWatchLogs() as one:
        yield one


@pytest.fixture
def destination(double):
    one = made(double.url)
    yield one
    one.close()


def of_size(size, double, **fields):
    """Return a line whose message in CloudWatch is so many bytes long."""
    one = made(double.url, log_group="/test/sizes")
    one.send(batch(line(message="", **fields)))
    one.close()
    return line(message="x" * (size - len(double.messages("/test/sizes")[-1].encode())), **fields)


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("extra", "taken"), [(0, 2), (1, 1)])
def test_limit_of_1_048_576_bytes(double, destination, extra, taken):
    """At the limit one request, beyond it two; the double refuses what is over it."""
    half = 1_048_576 // 2 - 26
    lines = [of_size(half, double), of_size(half + extra, double)]

    receipt = destination.send(batch(*lines))

    assert receipt.taken == taken
    assert double.puts[-1] == taken


@pytest.mark.parametrize("count", [10_000, 10_001])
def test_limit_of_10_000_events(double, count):
    """Whatever lies behind them comes with the next request."""
    one = made(double.url, message_format="text")

    receipt = one.send(batch(*[line()] * count))
    one.close()

    assert receipt.taken == 10_000
    assert double.puts == [10_000]


def test_characters_of_several_bytes_count_as_bytes(double, destination):
    """540,000 characters, but 1.1 MB."""
    receipt = destination.send(batch(line("é" * 270_000), line("é" * 270_000)))

    assert receipt.taken == 1
    assert double.puts == [1]


@pytest.mark.parametrize(("extra_ms", "taken"), [(0, 2), (1, 1)])
def test_limit_of_24_hours(double, destination, extra_ms, taken):
    """One millisecond more fails the whole request at AWS."""
    now_ms = time.time_ns() // 1_000_000
    earlier_ms = now_ms - DAY_S * 1000 - extra_ms
    lines = [
        b'{"timestamp":%d000000,"level":"INFO","logger":"a","message":"m"}\n' % moment
        for moment in (earlier_ms, now_ms)
    ]

    receipt = destination.send(batch(*lines))

    assert receipt.taken == taken
    assert double.puts == [taken]


@pytest.mark.parametrize(
    ("age_s", "reason"),
    [
        (14 * DAY_S - 310, None),
        (14 * DAY_S - 290, "too_old"),
        (-(2 * HOUR_S - 70), None),
        (-(2 * HOUR_S - 50), "too_new"),
    ],
)
def test_the_window_of_14_days_and_2_hours(double, destination, age_s, reason):
    """What lies outside is refused before it is sent, and the rest of the batch goes."""
    receipt = destination.send(batch(line("odd", age_s)))
    fresh = destination.send(batch(line("fresh")))

    assert [refusal.reason for refusal in receipt.refused] == ([reason] if reason else [])
    assert fresh.refused == ()
    expected = {"fresh"} if reason else {"odd", "fresh"}
    assert {record["message"] for record in double.records(GROUP)} == expected


def test_a_record_25_hours_old_costs_no_other(double, tmp_path):
    """One call of watchtower with such an event loses all of its events."""
    lines = [contract_line(number) for number in range(200)]
    lines[50] = line("old", 25 * HOUR_S)

    with Road(tmp_path, made(double.url)) as road:
        road.put(*lines)
        assert road.pipeline.flush(20)

    assert sorted(double.accepted) == sorted(road.ids(200))
    assert road.stats.dead_lettered == 0


def test_large_records_arrive_whole_or_marked(double, tmp_path):
    """300 KB is allowed; 1.1 MB is shortened to valid JSON that says what is missing."""
    with Road(tmp_path, made(double.url)) as road:
        road.put(line("x" * 300_000, user="u1"), line("y" * 1_100_000, user="u2"), line("z"))
        assert road.pipeline.flush(20)

    whole, cut, small = double.records(GROUP)
    assert whole["message"] == "x" * 300_000
    assert cut["user"] == "u2"
    assert cut["message"] == "y" * len(cut["message"])
    assert cut["_truncated_bytes"] == 1_100_000 - len(cut["message"])
    assert 1_048_500 < len(double.messages(GROUP)[1]) <= 1_048_550
    assert small["message"] == "z"


def test_a_flood_of_large_records_is_cut_into_requests(double, tmp_path):
    """Sizes from a few bytes to half a megabyte, 12 MB in all, none lost or doubled."""
    lines = [contract_line(n, "é" * (n * 7919 % 40_000)) for n in range(300)]

    with Road(tmp_path, made(double.url)) as road:
        road.put(*lines)
        assert road.pipeline.flush(30)

    assert double.accepted == road.ids(300)


# -- what AWS does not take --------------------------------------------------------------------


def test_rejected_ranges_become_refusals_exactly(double, destination):
    """The receiver's clock decides; its answer counts events in the order of their times."""
    double.clock_s = 3 * DAY_S
    ages = [0, 12 * DAY_S, 12 * DAY_S - 60, 12 * DAY_S - 30]

    receipts = [
        destination.send(batch(line("fresh"))),
        destination.send(batch(*(line(f"{age}", age) for age in ages[1:]), line("x", 12 * DAY_S))),
    ]

    assert receipts[0].refused == ()
    refused = {refusal.index: refusal.reason for refusal in receipts[1].refused}
    assert refused == dict.fromkeys(range(4), "too_old")
    assert [record["message"] for record in double.records(GROUP)] == ["fresh"]


def test_of_a_batch_only_the_rejected_events_are_refused(double, destination):
    """By their places in the batch, not in the request."""
    double.clock_s = 14 * DAY_S - 600
    lines = [line("a", 0), line("b", 700), line("c", 100), line("d", 660)]

    receipt = destination.send(batch(*lines))

    assert [(refusal.index, refusal.reason) for refusal in receipt.refused] == [
        (1, "too_old"),
        (3, "too_old"),
    ]
    assert [record["message"] for record in double.records(GROUP)] == ["c", "a"]


def test_events_ahead_of_the_receivers_clock_are_refused(double, destination):
    """A clock two hours ahead is wrong; its neighbours are not."""
    double.clock_s = -2 * HOUR_S + 60

    receipt = destination.send(batch(line("a"), line("b", -120), line("c", 10)))

    assert [(refusal.index, refusal.reason) for refusal in receipt.refused] == [(1, "too_new")]


def test_events_beyond_the_groups_retention_are_refused(double):
    """AWS would delete them at once."""
    one = made(double.url, retention_days=3)

    receipt = one.send(batch(line("a", 4 * DAY_S)))
    one.close()

    assert [refusal.reason for refusal in receipt.refused] == ["expired"]


def test_rejected_events_are_dead_letters_with_their_reason(double, tmp_path):
    """Somebody can look at them and send them elsewhere."""
    with Road(tmp_path, made(double.url)) as road:
        road.put(line("too old", 20 * DAY_S), line("fresh"), line("ahead", -DAY_S))
        assert road.pipeline.flush(20)

    letters = DeadLetters(road.directory, road.route.destination.name).read()
    assert [(one["record_id"], one["reason"]) for one in letters] == [
        (road.ids(1)[0], "too_old"),
        (f"{road.pipeline.spool.id}:2", "too_new"),
    ]
    assert [record["message"] for record in double.records(GROUP)] == ["fresh"]


ANSWERS = [
    ("ThrottlingException", 400, RetryError, "Throttling"),
    ("Throttling", 400, RetryError, "Throttling"),
    ("RequestLimitExceeded", 400, RetryError, ""),
    ("ServiceUnavailableException", 503, RetryError, ""),
    ("InternalFailure", 500, RetryError, ""),
    ("LimitExceededException", 400, RetryError, ""),
    ("OperationAbortedException", 400, RetryError, ""),
    ("InvalidSequenceTokenException", 400, RetryError, ""),
    ("InvalidParameterException", 400, RefusedError, ""),
    ("SerializationException", 400, RefusedError, ""),
    ("RequestEntityTooLargeException", 413, TooLargeError, ""),
    ("UnrecognizedClientException", 400, HoldError, "check the AWS credentials"),
    ("ExpiredTokenException", 400, HoldError, "check the AWS credentials"),
    ("MissingAuthenticationTokenException", 403, HoldError, "check the AWS credentials"),
    ("SignatureDoesNotMatch", 403, HoldError, "the clock of this machine"),
    ("InvalidSignatureException", 400, HoldError, "the clock of this machine"),
    (
        "AccessDeniedException",
        400,
        HoldError,
        "allow logs:PutLogEvents on arn:aws:logs:eu-central-1:*:log-group:/test/shop:*",
    ),
    ("UnknownOperationException", 404, HoldError, "check endpoint_url"),
]


@pytest.mark.parametrize(("code", "status", "kind", "text"), ANSWERS)
def test_every_documented_error_has_a_meaning(double, destination, code, status, kind, text):
    """Later, not before somebody acts, or never; and the message says what to do."""
    double.fail("status", times=None, reply=error(code, "why", status))

    with pytest.raises(kind) as caught:
        destination.send(batch(line()))

    assert type(caught.value) is kind
    assert text in str(caught.value)


def test_data_that_was_accepted_before_is_accepted(double, destination):
    """Sending it again would never end."""
    double.fail("status", reply=error("DataAlreadyAcceptedException", "again"))

    assert destination.send(batch(line())).taken == 1
