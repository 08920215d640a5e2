"""The call: what a program may pass, and what record comes of it."""

import dataclasses
import datetime
import decimal
import json
import logging
import logging.config
import math
import pathlib
import sys
import threading
import uuid

import pytest

from clerestory import get_logger, request_context
from clerestory.model.severity import LEVELS
from clerestory.testing import capture

SEED_001_KEYS = {"message", "level", "logger", "module", "funcName", "lineno", "timestamp"}


def test_the_ten_levels_have_a_method_each():
    """A record's level is the name of the method."""
    log = get_logger("levels")

    with capture() as caught:
        for name in LEVELS:
            getattr(log, name.lower())("hello")

    assert [record["level"] for record in caught.records] == list(LEVELS)


def test_seed_001_get_logger_and_request_context_give_the_documented_json():
    """The example of the seed gives the keys of the seed."""
    logger = get_logger("my_app")

    def process_request():
        with request_context(user_id="user123", request_id="req456"):
            logger.info("Processing request")

    with capture() as caught:
        process_request()

    (record,) = caught.records
    assert SEED_001_KEYS | {"user_id", "request_id"} == set(record)
    assert record["message"] == "Processing request"
    assert (record["logger"], record["level"]) == ("my_app", "INFO")
    assert record["funcName"] == "process_request"
    assert record["module"] == "test_call"
    assert (record["user_id"], record["request_id"]) == ("user123", "req456")


def test_call_site_is_that_of_each_line_even_when_cached():
    """Two calls in one function have two line numbers, each time."""
    log = get_logger("site")

    with capture() as caught:
        for _ in range(3):
            log.info("one")
            log.info("two")

    lines = [record["lineno"] for record in caught.records]
    assert lines[0] + 1 == lines[1]
    assert lines == lines[:2] * 3


def test_stdlib_signature_is_understood():
    """%-args, extra, exc_info, stack_info, stacklevel mean what they mean in the library."""
    log = get_logger("stdlib.signature")

    def helper():
        log.warning("seen from the caller", stacklevel=2)

    with capture() as caught:
        log.info("%s of %d", "part", 3)
        log.info("%(a)s", {"a": 1})
        log.info("extra", extra={"k": 1})
        log.info("too few %s %s", 1)
        log.info("stack", stack_info=True)
        helper()
        try:
            raise KeyError("missing")
        except KeyError:
            log.error("with", exc_info=True)
            log.exception("again", order=1)
        log.error("given", exc_info=ValueError("v"))

    records = caught.records
    assert records[0]["message"] == "part of 3"
    assert records[0]["log.record.template"] == "%s of %d"
    assert records[1]["message"] == "1"
    assert records[2]["k"] == 1
    assert records[3]["message"].startswith("too few %s %s [arguments do not fit")
    assert "test_call" in records[4]["stack"]
    assert records[5]["funcName"] == "test_stdlib_signature_is_understood"
    assert [r["exception.type"] for r in records[6:]] == ["KeyError", "KeyError", "ValueError"]
    assert records[6]["exception"]["frames"][-1]["code"] == 'raise KeyError("missing")'
    assert records[7]["order"] == 1
    assert "locals" not in records[6]["exception"]["frames"][0]


def test_exception_causes_and_groups_are_kept():
    """What led to an exception is part of the record."""
    log = get_logger("causes")

    with capture() as caught:
        try:
            try:
                raise OSError("disk")
            except OSError as error:
                raise ExceptionGroup("several", [ValueError("a")]) from error
        except ExceptionGroup:
            log.exception("failed")

    form = caught.records[0]["exception"]
    assert form["cause"]["message"] == "disk"
    assert form["exceptions"][0]["type"] == "ValueError"


def test_a_field_with_a_reserved_name_is_kept_under_another():
    """No field replaces what the record says of itself, and none is lost."""
    with capture() as caught:
        get_logger("reserved").info("hello", level="high", timestamp=1, logger="x")

    (record,) = caught.records
    assert record["level"] == "INFO"
    assert record["field.level"] == "high"
    assert record["field.timestamp"] == 1
    assert record["field.logger"] == "x"


@dataclasses.dataclass
class Point:
    x: int


def test_values_take_their_documented_form():
    """Numbers stay numbers; what JSON has no form for is text."""
    with capture() as caught:
        get_logger("values").info(
            "v",
            i=2**70,
            f=0.1,
            b=True,
            n=None,
            when=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
            id=uuid.UUID(int=1),
            money=decimal.Decimal("1.10"),
            path=pathlib.Path("/a"),
            point=Point(1),
            nested={"a": [1, {"b": 2}]},
            error=ValueError("x"),
            nan=math.nan,
        )

    (record,) = caught.records
    assert record["i"] == 2**70
    assert (record["f"], record["b"], record["n"]) == (0.1, True, None)
    assert record["when"] == "2026-01-02T00:00:00Z"
    assert record["id"] == str(uuid.UUID(int=1))
    assert record["money"] == "1.10"
    assert record["path"] == "/a"
    assert record["point"] == {"x": 1}
    assert record["nested"] == {"a": [1, {"b": 2}]}
    assert record["error"] == "ValueError: x"
    assert record["nan"] is None


def test_numpy_values_take_their_documented_form():
    """Scalars become numbers, arrays their shape and head."""
    numpy = pytest.importorskip("numpy")

    with capture() as caught:
        get_logger("np").info("v", s=numpy.float64(1.5), i=numpy.int64(3), a=numpy.zeros((2, 3)))

    (record,) = caught.records
    assert (record["s"], record["i"]) == (1.5, 3)
    assert record["a"]["shape"] == [2, 3]


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class LogsItself:
    def __repr__(self):
        get_logger("inner").info("from repr", me=self)
        return "logged"


def deep(levels):
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def test_row_22_to_26_hostile_values_never_raise_and_give_valid_json():
    """Whatever is logged, the program goes on and the line is JSON."""
    cycle: list[object] = []
    cycle.append(cycle)
    log = get_logger("hostile")

    with capture() as caught:
        log.info("repr", value=Hostile())
        log.info(Hostile())
        log.info("cycle", value=cycle)
        log.info("depth", value=deep(10_000))
        log.info("surrogate \ud800", value="\udfff", **{"k\ud801": 1})
        log.info("nan", value=[math.nan, math.inf])
        log.info("inner", value=LogsItself())
        log.info("nul \0 and \x1b[31m")
        log.info("bytes", value=b"\xff\x00")
        log.info("%s", Hostile())
        log.info("keys", value={1: 2, (1, 2): 3})
        log.info("long", value="x" * 5_000_000)
        log.info("wide", **{f"k{i}": i for i in range(5000)})
        log.info("many", value=list(range(100_000)), other=list(range(1_000_000)))

    by_message = {record["message"]: record for record in caught.records}
    assert by_message["repr"]["value"] == "<unrepresentable Hostile: RuntimeError>"
    assert "<unrepresentable Hostile: RuntimeError>" in by_message
    assert by_message["cycle"]["value"] == ["<cycle>"]
    assert "<depth>" in json.dumps(by_message["depth"]["value"])
    assert by_message["surrogate \\ud800"]["value"] == "\\udfff"
    assert by_message["nan"]["value"] == [None, None]
    assert by_message["inner"]["value"] == "logged"
    assert by_message["from repr"]["me"] == "<LogsItself>"
    assert by_message["nul \0 and \x1b[31m"]
    assert by_message["long"]["value"].endswith("characters cut]")
    assert len(by_message["wide"]) >= 5000
    assert len(by_message) == 15


def test_a_call_inside_a_signal_like_nesting_keeps_both():
    """A record made while another is being encoded is kept too."""
    with capture() as caught:
        get_logger("outer").info("outer", value=LogsItself())

    assert sorted(caught.messages) == ["from repr", "outer"]


def test_bind_adds_fields_to_each_record():
    """A bound logger carries its fields; the call's own win."""
    log = get_logger("bound").bind(a=1, b=1)

    with capture() as caught:
        log.bind(c=3).warning("x", b=2)

    record = caught.records[0]
    assert (record["a"], record["b"], record["c"]) == (1, 2, 3)
    assert record["funcName"] == "test_bind_adds_fields_to_each_record"


def test_context_nests_and_ends():
    """Fields of an inner block win and go with it; a thread begins with its starter's."""
    log = get_logger("context")

    with capture() as caught, request_context(a=1, b=1):
        with request_context(b=2):
            log.info("inner")
        log.info("outer")
        thread = threading.Thread(target=lambda: log.info("thread"))
        thread.start()
        thread.join()
    seen = {record["message"]: record for record in caught.records}

    assert (seen["inner"]["a"], seen["inner"]["b"]) == (1, 2)
    assert seen["outer"]["b"] == 1
    assert (seen["thread"]["a"], seen["thread"]["b"]) == (1, 1)


def test_secrets_are_masked_by_name_and_by_look():
    """The marker names the rule and repeats nothing of the secret."""
    log = get_logger("secrets")

    with capture() as caught, request_context(session_cookie="c00kie"):
        log.info("login", password="hunter2", db_password="hunter2", token_count=3, api_key="k3y")
        log.info("url postgres://user:hunter2@db/x and AKIAIOSFODNN7EXAMPLE")
        log.info("card 4111 1111 1111 1111", headers={"Authorization": "Bearer hunter2hunter2hu"})
        log.info("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlaHVudGVyMg")
        log.info("numbers", order=4111111111111111, ns=1795314823428724290)
        log.info("key ghp_0123456789abcdefghijABCDEFGHIJ0123456789", extra={"secret": ["hunter2"]})

    text = json.dumps(caught.records)
    for secret in ("hunter2", "AKIA", "4111 1111", "eyJ", "ghp_", "c00kie", "k3y"):
        assert secret not in text
    assert caught.records[0]["password"] == "[redacted:password]"
    assert caught.records[0]["token_count"] == 3
    assert caught.records[1]["message"].startswith("url postgres://user:[redacted:url-password]@db")
    assert caught.records[4]["order"] == 4111111111111111
    assert caught.records[4]["ns"] == 1795314823428724290


def test_existing_stdlib_code_is_captured_without_edits():
    """logging.getLogger gives records too, with their call site."""
    with capture() as caught:
        logging.getLogger("old.code").info("old %s", "style", extra={"k": 1})
        logging.warning("module level")
        adapter = logging.LoggerAdapter(logging.getLogger("adapted"), {"a": 1})
        adapter.error("adapted")

    first, second, third = caught.records
    assert (first["message"], first["k"]) == ("old style", 1)
    assert {r["funcName"] for r in caught.records} == {
        "test_existing_stdlib_code_is_captured_without_edits"
    }
    assert second["logger"] == "root"
    assert third["a"] == 1


def test_caplog_and_handlers_added_later_see_records(caplog):
    """A handler that comes later gets LogRecords; when it goes the fast way is back."""
    log = get_logger("later")
    with capture() as caught:
        log.info("before")
        with caplog.at_level(logging.INFO):
            log.info("seen", order=1, name="n")
        seen: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = seen.append  # type: ignore[method-assign,assignment]
        log.addHandler(handler)
        log.info("direct %d", 5, order=2)
        log.removeHandler(handler)
        log.info("after")

    assert caught.messages == ["before", "seen", "direct 5", "after"]
    assert caught.records[1]["name"] == "n"
    assert seen[0].getMessage() == "direct 5"
    assert seen[0].order == 2  # type: ignore[attr-defined]
    assert "seen" in caplog.messages


def test_filters_and_disabled_loggers_hold_for_us_too():
    """A filter that refuses a record refuses ours; logging.disable and propagate hold."""
    log = get_logger("filtered")
    with capture() as caught:
        log.addFilter(lambda record: "no" not in record.getMessage())
        log.info("no")
        log.info("yes")
        log.filters.clear()
        logging.disable(logging.INFO)
        log.info("disabled")
        logging.disable(logging.NOTSET)
        log.setLevel(logging.ERROR)
        log.warning("below")
        log.setLevel(logging.NOTSET)
        log.info("end")

    assert caught.messages == ["yes", "end"]


def test_a_custom_record_factory_is_used():
    """What a LogRecord factory adds is part of our record."""
    original = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = original(*args, **kwargs)
        record.tenant = "t1"
        return record

    with capture() as caught:
        log = get_logger("factory")
        log.info("plain")
        logging.setLogRecordFactory(factory)
        try:
            log.info("made")
        finally:
            logging.setLogRecordFactory(original)

    assert "tenant" not in caught.records[0]
    assert caught.records[1]["tenant"] == "t1"


def test_unittest_assert_logs_works():
    """assertLogs replaces handlers by assignment; it must still see records."""
    import unittest

    class Case(unittest.TestCase):
        def runTest(self):
            log = get_logger("asserted")
            with self.assertLogs("asserted", "INFO") as seen:
                log.info("hello")
            self.assertEqual(seen.output, ["INFO:asserted:hello"])

    result = unittest.TestResult()
    with capture():
        Case().run(result)
    assert not result.failures
    assert not result.errors


def test_fixture_of_the_plugin_catches(clerestory_capture):
    """Users' tests get the fixture by installing the package."""
    get_logger("plugin").debug("caught", n=1)

    assert clerestory_capture.find("caught", n=1)["level"] == "DEBUG"
    assert "sys" in sys.modules


def test_contexts_of_a_thousand_tasks_stay_apart():
    """Each asyncio task sees its own fields, whatever the others bind meanwhile."""
    import asyncio

    log = get_logger("tasks")

    async def task(number):
        with request_context(task=number):
            await asyncio.sleep(0)
            log.info("step", expected=number)
            await asyncio.sleep(0)
            log.info("step", expected=number)

    async def all_tasks():
        await asyncio.gather(*(task(number) for number in range(1000)))

    with capture("INFO") as caught:
        asyncio.run(all_tasks())

    assert len(caught.records) == 2000
    assert all(record["task"] == record["expected"] for record in caught.records)
