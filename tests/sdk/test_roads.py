"""Loggers whose handlers have roads of their own: no LogRecord, and nothing missed."""

import logging
from typing import ClassVar

import pytest

from clerestory import configuration, get_logger
from clerestory.destinations.memory import Memory, MemoryConfig
from clerestory.integrations.handlers import DestinationHandler


class Kept(Memory):
    """A memory that its handler can be asked for."""

    made: ClassVar["list[Kept]"] = []

    def __init__(self, config):
        super().__init__(config)
        Kept.made.append(self)

    @classmethod
    def records_of(cls, handler):
        handler.flush()
        return [record for memory in cls.made for record in memory.records]


@pytest.fixture
def handler(tmp_path, monkeypatch):
    monkeypatch.setenv("CLERESTORY_SPOOL_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(Kept, "made", [])
    configuration.configure(destinations=["memory"], spool_mode="memory")
    one = DestinationHandler(Kept, MemoryConfig())
    yield one
    one.close()


@pytest.fixture
def log(handler):
    logger = get_logger("roads")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def records_made(monkeypatch):
    """Count LogRecords."""
    made = []
    original = logging.Logger.makeRecord

    def make(*args, **kwargs):
        made.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(logging.Logger, "makeRecord", make)
    return made


def test_lines_take_both_roads_without_a_log_record(log, handler, records_made, listeners):
    """What a LogRecord costs is most of what a call costs."""
    for number in range(100):
        log.info("order placed", order=number)
    log.info({"message": "as a mapping", "order": 100})
    log.error("with arguments %d", 7, extra={"order": 101})

    found = Kept.records_of(handler)

    assert [record["order"] for record in found] == list(range(102))
    assert found[100]["message"] == "as a mapping"
    assert found[101]["message"] == "with arguments 7"
    assert listeners == "handled" or records_made == []


def test_a_formatter_that_is_set_later_is_obeyed(log, handler, records_made, listeners):
    """The closures are made anew; a handler with a formatter sees LogRecords."""
    log.info("before")
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.info("after")

    assert len(Kept.records_of(handler)) == 2
    assert listeners == "handled" or len(records_made) == 1


def test_a_level_that_is_set_later_is_obeyed(log, handler):
    """Below it nothing goes there; the program's own road still gets it."""
    log.info("one")
    handler.setLevel("WARNING")
    log.info("two")
    log.warning("three")

    assert [record["message"] for record in Kept.records_of(handler)] == ["one", "three"]


def test_a_filter_of_the_handler_is_asked(log, handler):
    """It may say no."""
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    log.info("plain")
    log.info("secret")

    assert [record["message"] for record in Kept.records_of(handler)] == ["plain"]


def test_handlers_of_parents_get_what_children_log(handler, records_made, listeners):
    """As far as `propagate` lets it through."""
    parent = get_logger("roads.parent")
    parent.addHandler(handler)
    child = get_logger("roads.parent.child")
    try:
        child.info("up")
        child.propagate = False
        child.info("not up")
    finally:
        child.propagate = True
        parent.removeHandler(handler)

    assert [record["message"] for record in Kept.records_of(handler)] == ["up"]
    assert listeners == "handled" or records_made == []


def test_another_handler_beside_it_sees_its_log_records(log, handler, records_made, listeners):
    """Once each, on both."""
    seen = []

    class Other(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    other = Other()
    log.addHandler(other)
    log.info("for both")
    log.removeHandler(other)
    log.info("for one")

    assert seen == ["for both"]
    assert [record["message"] for record in Kept.records_of(handler)] == ["for both", "for one"]
    assert listeners == "handled" or len(records_made) == 1
