"""What a destination makes of a connection, for those whose receivers never answer.

No throttling, no partial failure, no refusal: a slow reader, a shortened record and a connection
that ends stand in their place.
"""

import contextlib
import socket
from collections import Counter

import pytest

from clerestory.spool.letters import DeadLetters
from tests.contracts.case import Road, all_arrived, extra, line, wait_until
from tests.contracts.conftest import SILENT

pytestmark = pytest.mark.parametrize("case", SILENT, ids=lambda case: case.name)


def test_receivers_said_to_be_silent_are_silent(case, tmp_path):
    """Real ones, whatever they are sent; else the tests of answers would be owed."""
    assert len(case.silent.witnesses) > 1
    for number, witness in enumerate(case.silent.witnesses):
        folder = tmp_path / str(number)
        folder.mkdir()
        with witness(folder) as receiver:
            said = [_answer_to(receiver.port, one) for one in case.silent.provocations]
            taken = receiver.wait_for(1)

        assert said == [b""] * len(case.silent.provocations)
        assert taken, "a witness that takes nothing proves nothing"


def _answer_to(port, octets):
    """Return all that is said until the receiver has read to the end and closes."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), 10) as one:
        one.sendall(octets)
        with contextlib.suppress(OSError):  # it may have closed by now
            one.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while found := one.recv(4096):
                said += found
    return said


def test_a_receiver_that_is_away_costs_tries_and_no_record(case, road, receiver):
    """Refused connections are no error of the records, and nothing was sent that could double."""
    receiver.stop()
    road.put(*(line(number) for number in range(100)))
    wait_until(lambda: road.stats.retries >= 3)
    assert "ConnectionRefusedError" in road.stats.last_error

    receiver.listen()

    all_arrived(road, receiver, 100)
    assert receiver.accepted == road.ids(100)
    assert "ERROR" not in dict(road.alarms)


@pytest.mark.parametrize("bytes_read", [1, 150, 5000, 60_000])
def test_a_connection_that_is_reset_inside_a_batch_loses_nothing(
    case, receiver, tmp_path, bytes_read
):
    """Inside a length, a message, a batch; what was half read is no message."""
    with Road(tmp_path, case.destination(receiver, timeout=0.5)) as road:
        receiver.fail("reset", bytes_read=bytes_read, times=2)

        road.put(*(line(number, "x" * 100) for number in range(1500)))

        all_arrived(road, receiver, 1500)
        assert road.stats.retries >= 1
    assert max(Counter(receiver.accepted).values()) <= 3


def test_what_the_kernel_took_and_the_receiver_never_read_comes_again(case, road, receiver):
    """What only the other machine has acknowledged is not settled for good."""
    receiver.fail("hang", wait_s=0.5)
    road.put(*(line(number) for number in range(20)))
    wait_until(lambda: road.stats.sent_records == 20)
    assert receiver.accepted == []
    wait_until(lambda: receiver.connected == 0)

    road.put(line(20))

    all_arrived(road, receiver, 21)
    assert receiver.accepted == road.ids(21)


def test_a_receiver_that_stops_reading_is_left_in_time(case, receiver, tmp_path):
    """The courier is not held for ever by a full buffer."""
    with Road(tmp_path, case.destination(receiver, timeout=0.3)) as road:
        receiver.fail("hang", wait_s=60.0)

        road.put(*(line(number, "x" * 8000) for number in range(1000)))

        wait_until(lambda: road.stats.retries >= 1)
        receiver.stop()
        receiver.heal()
        all_arrived(road, receiver, 1000)


def test_a_slow_reader_is_waited_for(case, road, receiver):
    """What throttling is to a stream: as long as bytes move, nothing is sent twice."""
    receiver.fail("slow", wait_s=0.01)

    road.put(*(line(number, "x" * 500) for number in range(800)))

    all_arrived(road, receiver, 800)
    assert extra(receiver) == 0
    assert road.stats.retries == 0, road.stats.last_error


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "x" * 200_000},
        {"message": 'é\n\\]"' * 30_000},
        {"more": {f"field_{number}": "y" for number in range(2000)}},
        {f"a_field_with_a_long_name_{number:04}": number for number in range(2000)},
        {"exception": {"type": "E", "message": "m" * 90_000, "frames": []}},
        {"a" * 60_000: 1},
        {"message": "", "level": "odd level", 'n"]=': "\0\n]", "": "", "ü ü": [None, {}]},
    ],
    ids=["text", "escapes", "deep", "wide", "exception", "name", "odd"],
)
def test_no_record_is_refused_however_odd_it_is(case, road, receiver, fields):
    """What partial failure is to a silent receiver: every record must fit, for none comes back."""
    road.put(line(0), line(1, **fields), line(2))

    all_arrived(road, receiver, 3)
    assert receiver.accepted == road.ids(3)
    assert road.stats.dead_lettered == 0
    assert list(DeadLetters(road.directory, road.route.destination.name).read()) == []
    assert case.messages(receiver)[0] == "record 0"
