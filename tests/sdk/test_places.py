"""Calls from one place again and again: the short way makes the very record of the long one."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory import get_logger, request_context
from clerestory.testing import capture

PLAIN_NAMES = ("order", "sku", "class", "é", "_own", "__slots__", "http.route", 'a"b', "", "self")
TAKEN_NAMES = ("message", "msg", "level", "logger", "timestamp", "trace_id", "password")
WORDS = ("extra", "stacklevel", "stack_info", "exc_info")
NAMES = st.sampled_from([*PLAIN_NAMES, *TAKEN_NAMES, *WORDS])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.sampled_from(["\ud800", "x" * 70_000, ("a", "b"), [1, {"a": None}], {1: 2}, object, {"k"}]),
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=4)
CONTEXT_NAMES = st.sampled_from(["request_id", "user", "order", "http.route", "token"])
ARGUMENTS = st.one_of(st.just(()), st.just((1,)), st.just(("a", 2)))
MESSAGES = st.one_of(
    st.sampled_from(["plain", "%s", "%s and %d", "", "\ud800"]),
    st.dictionaries(st.sampled_from(["message", "msg", "extra", "exc_info", "k"]), st.integers()),
    st.integers(),
)
CALLS = st.tuples(
    MESSAGES, ARGUMENTS, FIELDS, st.dictionaries(CONTEXT_NAMES, st.text(max_size=5), max_size=2)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=8))
def test_the_short_way_gives_what_the_long_one_gives(calls):
    """Whatever names and values follow each other at a place."""
    short, long = get_logger("places.short"), get_logger("places.long")

    with capture() as caught:
        short.info("now its methods are there")
        for message, args, fields, around in calls:
            with request_context(**around):
                short.info(message, *args, **fields)
    shorter = caught.records[1:]
    with capture() as caught:
        for message, args, fields, around in calls:
            with request_context(**around):
                long.log(20, message, *args, **fields)

    assert [own(record) for record in shorter] == [own(record) for record in caught.records]


def own(record):
    """Return what a record has of its call; NaN is text, so that it equals itself."""
    apart = {"timestamp", "lineno", "funcName", "logger", "module", "stack"}
    return {key: repr(value) for key, value in record.items() if key not in apart}


def plain(log):
    """Its methods are there."""
    log.info("first")


def handled(log):
    """Somebody else wants records."""
    log.addHandler(logging.NullHandler())
    log.info("first")


def untouched(log):
    """Nobody has called it."""


def said(caught):
    """Return the records that came after those of the preparation."""
    return [record for record in caught.records if record["message"] != "first"]


@pytest.mark.parametrize("prepare", [untouched, plain, handled])
def test_a_field_may_have_any_name(prepare):
    """No parameter of ours stands in its way, and none is lost."""
    log = get_logger(f"places.names.{prepare.__name__}")
    names = ("self", "msg", "message", "args", "fields", "level", "name", "logger", "frame")

    with capture() as caught:
        prepare(log)
        for _ in range(2):
            log.info("said", **dict.fromkeys(names, 7))
            log.log(20, "said", **dict.fromkeys(names, 7))
            log.exception("said", **dict.fromkeys(names, 7), exc_info=None)
            log.debug("said", **dict.fromkeys(names, 7))
            log.bind(a=1).info("said", **dict.fromkeys(names, 7))

    records = said(caught)
    assert {record["message"] for record in records} == {"said"}
    assert [list(record.values()).count(7) for record in records] == [len(names)] * 10


@pytest.mark.parametrize("prepare", [untouched, plain, handled])
def test_a_message_may_be_given_by_name(prepare):
    """As the standard library's parameter, or as the name that it has in the record."""
    log = get_logger(f"places.message.{prepare.__name__}")

    with capture() as caught:
        prepare(log)
        log.info(msg="one", order=1)
        log.warning(message="one", order=1)
        log.log(level=30, msg="one", order=1)
        log.bind(order=1).info(msg="one")
        log.error(order=1)

    assert [record["message"] for record in said(caught)] == ["one"] * 4 + [""]
    assert [record["order"] for record in said(caught)] == [1] * 5


def test_a_disabled_level_takes_any_call():
    """Also one without a message in front."""
    log = get_logger("places.off")

    with capture() as caught:
        log.setLevel("ERROR")
        log.error("first")
        log.info(msg="one", message="two")

    assert said(caught) == []


def test_a_payload_with_the_words_of_a_call_changes_no_later_call():
    """Once `exc_info` was a field, it still is the exception where a call says it."""
    log = get_logger("places.words")

    with capture() as caught:
        log.info({"message": "payload", "exc_info": 1, "extra": 2, "stack_info": 3})
        for _ in range(2):
            log.info("an extra", extra={"order": 1})
            try:
                raise KeyError("missing")
            except KeyError:
                log.info("failed", exc_info=True)

    assert caught.records[0]["exc_info"] == 1
    assert [record.get("order") for record in caught.records[1::2]] == [1, 1]
    assert [record.get("exception.type") for record in caught.records[2::2]] == ["KeyError"] * 2


def test_both_words_for_a_message_in_one_payload_are_kept():
    """One is the message, the other a field."""
    with capture() as caught:
        get_logger("places.both").info({"message": "text", "msg": "more"})

    assert (caught.records[0]["message"], caught.records[0]["msg"]) == ("text", "more")


def test_an_exception_that_was_handled_is_the_programs():
    """No error of our own way there is taken for it."""
    log = get_logger("places.handled")

    with capture() as caught:
        for number in range(3):
            try:
                raise KeyError("missing")
            except KeyError:
                log.info("failed", exc_info=True, **{f"order{number}": number})

    assert {record["exception.type"] for record in caught.records} == {"KeyError"}
    assert not any("cause" in record["exception"] for record in caught.records)
