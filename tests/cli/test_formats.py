"""Log lines of the usual forms become records, and nothing of them is lost."""

import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from clerestory.cli.send.formats import FORMATS, detect
from clerestory.cli.send.records import records
from clerestory.cli.send.times import Clock, any_time, leading_time

NOW_S = datetime(2026, 1, 10, 12, tzinfo=UTC).timestamp()
CLOCK = Clock(zone=UTC, now_s=lambda: NOW_S)


_TRACEBACK = """2026-01-02 03:04:05,678 ERROR shop: payment failed
Traceback (most recent call last):
  File "/srv/shop.py", line 7, in pay
    1 / 0
    ~~^~~
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop.py", line 9, in <module>
    pay()
shop.PaymentError: no money
and more
2026-01-02 03:04:06,000 INFO shop: next"""


def _ns(
    year: int,
    month: int,
    day: int,
    hour: int,
    minute: int,
    second: int,
    *,
    zone: timezone = UTC,
    fraction: int = 0,
) -> int:
    moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    return int(moment.timestamp()) * 10**9 + fraction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-07-29 17:41:44,747", _ns(2015, 7, 29, 17, 41, 44, fraction=747_000_000)),
        ("2015-07-29T17:41:44.123456789Z", _ns(2015, 7, 29, 17, 41, 44, fraction=123_456_789)),
        (
            "2015-07-29T17:41:44+02:00",
            _ns(2015, 7, 29, 17, 41, 44, zone=timezone(timedelta(hours=2))),
        ),
        (
            "2015-07-29 17:41:44 -0530",
            _ns(2015, 7, 29, 17, 41, 44, zone=timezone(-timedelta(hours=5, minutes=30))),
        ),
        ("2024/01/02 03:04:05", _ns(2024, 1, 2, 3, 4, 5)),
        ("2005-06-03-15.42.50.675872", _ns(2005, 6, 3, 15, 42, 50, fraction=675_872_000)),
        ("04/Dec/2005:04:47:44 +0000", _ns(2005, 12, 4, 4, 47, 44)),
        ("Sun Dec 04 04:47:44 2005", _ns(2005, 12, 4, 4, 47, 44)),
        ("Jan  9 15:16:01", _ns(2026, 1, 9, 15, 16, 1)),
        ("Dec 31 23:59:59", _ns(2025, 12, 31, 23, 59, 59)),
        ("17/06/09 20:10:40", _ns(2017, 6, 9, 20, 10, 40)),
        ("081109 203615", _ns(2008, 11, 9, 20, 36, 15)),
        ("01-09 16:13:38.811", _ns(2026, 1, 9, 16, 13, 38, fraction=811_000_000)),
        ("1704164645", 1_704_164_645 * 10**9),
        ("1704164645500", 1_704_164_645_500 * 10**6),
        (1_704_164_645_123_456_789, 1_704_164_645_123_456_789),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text, expected):
    """Order on the page depends on it."""
    assert any_time(text, CLOCK) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2015-13-41 00:00:00", "12", True, None, "1e400"]
)
def test_what_is_not_a_time_is_none(text):
    """A wrong time would hide a record."""
    assert any_time(text, CLOCK) is None


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        (
            "json",
            '{"time":"2026-01-02T03:04:05Z","level":"warn","msg":"m","name":"a","n":1}',
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5),
                "level": "WARNING",
                "message": "m",
                "logger": "a",
                "n": 1,
            },
        ),
        (
            "logfmt",
            'time=2026-01-02T03:04:05Z level=error msg="it \\"broke\\"" port=80 share=0.5',
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5),
                "level": "ERROR",
                "message": 'it "broke"',
                "port": 80,
                "share": 0.5,
            },
        ),
        (
            "text",
            "2026-01-02 03:04:05,678 - shop.cart - INFO - added teapot: 2",
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5, fraction=678_000_000),
                "level": "INFO",
                "logger": "shop.cart",
                "message": "added teapot: 2",
            },
        ),
        (
            "text",
            "2026-01-02 03:04:05.678 | WARNING  | shop:pay:42 - slow",
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5, fraction=678_000_000),
                "level": "WARNING",
                "logger": "shop:pay:42",
                "message": "slow",
            },
        ),
        (
            "text",
            "[Sun Dec 04 04:47:44 2005] [error] mod_jk child in error state 6",
            {
                "timestamp": _ns(2005, 12, 4, 4, 47, 44),
                "level": "ERROR",
                "message": "mod_jk child in error state 6",
            },
        ),
        (
            "text",
            "2015-07-29 17:41:44,747 - INFO  [Peer[id=1]/0:0:2181:Fast@774] - Time out: 3200",
            {
                "timestamp": _ns(2015, 7, 29, 17, 41, 44, fraction=747_000_000),
                "level": "INFO",
                "message": "Time out: 3200",
                "thread.name": "Peer[id=1]/0:0:2181:Fast@774",
            },
        ),
        (
            "text",
            "2026-01-02 03:04:05 the user said that ERROR is fine",
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5),
                "message": "the user said that ERROR is fine",
            },
        ),
        (
            "python",
            "WARNING:shop.cart:low: 2",
            {"level": "WARNING", "logger": "shop.cart", "message": "low: 2"},
        ),
        (
            "syslog",
            "Jan  9 15:16:01 combo sshd(pam_unix)[19939]: failure; uid=0",
            {
                "timestamp": _ns(2026, 1, 9, 15, 16, 1),
                "logger": "sshd(pam_unix)",
                "host.name": "combo",
                "process.pid": 19939,
                "message": "failure; uid=0",
            },
        ),
        (
            "syslog",
            '<165>1 2026-01-02T03:04:05.003Z host app 42 ID47 [a@1 b="c"] text',
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5, fraction=3_000_000),
                "level": "NOTICE",
                "syslog.facility": 20,
                "logger": "app",
                "host.name": "host",
                "process.pid": 42,
                "syslog.msgid": "ID47",
                "syslog.data": '[a@1 b="c"]',
                "message": "text",
            },
        ),
        (
            "nginx",
            '10.0.0.1 - ada [02/Jan/2026:03:04:05 +0000] "GET /a HTTP/1.1" 503 17 "-" "curl/8"',
            {
                "timestamp": _ns(2026, 1, 2, 3, 4, 5),
                "level": "ERROR",
                "logger": "access",
                "message": "GET /a HTTP/1.1 503",
                "client.address": "10.0.0.1",
                "http.response.status_code": 503,
                "http.response.body.size": 17,
                "http.request.method": "GET",
                "url.path": "/a",
                "user.name": "ada",
                "user_agent": "curl/8",
            },
        ),
        (
            "android",
            "01-09 16:13:38.811  1702  2395 D WindowManager: opening: x",
            {
                "timestamp": _ns(2026, 1, 9, 16, 13, 38, fraction=811_000_000),
                "level": "DEBUG",
                "logger": "WindowManager",
                "message": "opening: x",
                "process.pid": 1702,
                "thread.id": 2395,
            },
        ),
        (
            "glog",
            "I0109 16:13:38.811000 7 main.go:12] started",
            {
                "timestamp": _ns(2026, 1, 9, 16, 13, 38, fraction=811_000_000),
                "level": "INFO",
                "logger": "main.go",
                "code.place": "main.go:12",
                "message": "started",
                "thread.id": 7,
            },
        ),
    ],
)
def test_a_line_becomes_a_record_and_its_form_is_found(form, line, expected):
    """Whole records are compared: a field too many is as wrong as one too few."""
    assert FORMATS[form](line, CLOCK) == expected
    if form != "python":
        assert detect([line] * 10, CLOCK) == form


def test_a_traceback_becomes_the_exception_of_its_record():
    """A traceback of 30 lines is one event, and its type can be searched for."""
    found = list(records(_TRACEBACK.splitlines(), FORMATS["text"], CLOCK))

    assert [number for number, _ in found] == [0, 14]
    record = found[0][1]
    assert isinstance(record, dict)
    assert record["message"] == "payment failed"
    assert record["exception"] == {
        "type": "shop.PaymentError",
        "message": "no money\nand more",
        "frames": [
            {"file": "/srv/shop.py", "line": 9, "function": "<module>", "code": "pay()"},
        ],
        "cause": {
            "type": "ZeroDivisionError",
            "message": "division by zero",
            "frames": [{"file": "/srv/shop.py", "line": 7, "function": "pay", "code": "1 / 0"}],
        },
    }


def test_other_lines_that_begin_no_record_stay_in_the_message():
    """A Java stack, a dumped table: the reader needs them where they were."""
    lines = ["2026-01-02 03:04:05 WARN a: first", "\tat x.y.Z", "", "end", ""]

    found = list(records(lines, FORMATS["text"], CLOCK))

    assert [number for number, _ in found] == [0]
    assert found[0][1]["message"] == "first\n\tat x.y.Z\n\nend"  # type: ignore[index]


def test_a_broken_json_object_is_passed_on_as_it_is():
    """The server keeps it raw and counts it; other text between objects is a message."""
    lines = ['{"msg": "a"}', '{"msg": ', "plain words", "", '{"msg": "b"}']

    found = list(records(lines, FORMATS["json"], CLOCK))

    assert found == [
        (0, {"message": "a"}),
        (1, '{"msg": '),
        (2, {"message": "plain words"}),
        (4, {"message": "b"}),
    ]


@given(some.lists(some.text(some.characters(exclude_characters="\n\r"), max_size=80), max_size=20))
def test_whatever_the_lines_are_every_one_that_is_not_blank_is_in_a_record(lines):
    """Nothing disappears silently."""
    for name, parser in FORMATS.items():
        found = list(records(lines, parser, CLOCK))

        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers)), name
        if any(line.strip() for line in lines):
            assert found, name
            assert numbers[0] == next(i for i, line in enumerate(lines) if line.strip()), name


@given(some.text(max_size=200))
def test_no_line_makes_a_parser_fail(line):
    """A log file holds anything."""
    for parser in FORMATS.values():
        parser(line, CLOCK)
    leading_time(line, CLOCK)


def test_a_line_made_to_be_slow_is_not():
    """A pattern that backtracks would stop a whole send."""
    lines = ['1.1.1.1 - - [x] "' + "\\" * 20_000, "a=" * 20_000, "[" * 50_000, "INFO " * 20_000]

    begin = time.process_time()
    for line in lines:
        for parser in FORMATS.values():
            parser("2026-01-02 03:04:05 " + line, CLOCK)
            parser(line, CLOCK)

    assert time.process_time() - begin < 5, sys.version
