"""Names of log streams."""

import sys

import pytest

from clerestory.model.errors import ConfigurationError
from clerestory.wire.services import cloudwatch as wire
from clerestory.wire.services.log_streams import StreamNames, own_stream

RESOURCE = {
    "host.name": "api:1",
    "process.pid": 4711,
    "process.creation.time": "2026-11-22T05:01:02.123456+00:00",
}
LINES = (
    b'{"timestamp":1795314823428724290,"level":"INFO","logger":"a:b","thread.name":"T1"}\n'
    b'{"timestamp":1795400000000000000,"level":"INFO","logger":"c"}\n'
    b'{"timestamp":1795314823428724290,"level":"INFO","logger":"a:b"}\n'
)


def streams(template):
    _, events = wire.cut(LINES, 0, wire.Form(spool_id="0" * 32))
    sorted_out = StreamNames(template).sort_out(events, LINES, RESOURCE)
    return {name: list(part.indices) for name, part in sorted_out}


def test_a_process_has_a_stream_of_its_own():
    """Host and start as in the manual, and the process number, so that workers differ."""
    assert streams(None) == {"api-1_20261122_050102_4711": [0, 1, 2]}


def test_a_process_that_said_little_of_itself_has_one_too():
    """A stream must have a name."""
    assert own_stream({}) == "host"
    assert own_stream({"host.name": "h", "process.pid": 1}) == "h_1"


def test_a_plain_name_is_taken_as_it_is():
    """As the AWS console shows it."""
    assert streams("api-server-1") == {"api-server-1": [0, 1, 2]}


def test_watchtowers_default_template_is_filled_in(monkeypatch):
    """Without the characters that AWS does not take."""
    monkeypatch.setattr(sys, "argv", ["/srv/shop.py"])

    found = streams("{machine_name}/{program_name}/{logger_name}/{process_id}")

    assert found == {"api-1/shop.py/a-b/4711": [0, 2], "api-1/shop.py/c/4711": [1]}


def test_threads_and_days_have_streams_of_their_own():
    """By the time of the record, so that a resend goes to the same."""
    assert streams("{thread_name}") == {"T1": [0], "MainThread": [1, 2]}
    assert streams("{strftime:%Y-%m-%d}") == {"2026-11-22": [0, 2], "2026-11-23": [1]}


@pytest.mark.parametrize("template", ["{host}", "{", "{0}", "a:b", "a*", "", "x" * 513])
def test_a_template_that_cannot_be_is_told_at_once(template):
    """At start, not with the first batch."""
    with pytest.raises(ConfigurationError, match="log_stream"):
        StreamNames(template)


def test_a_line_that_cannot_be_read_has_a_stream_too():
    """It must not stop the courier for ever."""
    lines = b'{"timestamp":99999999999999999999999999999,"logger":"\\x\xff"}\nno json\n'
    _, events = wire.cut(lines, 0, wire.Form(spool_id="0" * 32))

    found = list(StreamNames("{logger_name}-{strftime:%Y}").sort_out(events, lines, RESOURCE))

    assert [name for name, _ in found] == ["root-2286"]
