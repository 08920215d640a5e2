"""The log manager: the seed's examples, levels, handlers that are slow, counts."""

import asyncio
import builtins
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from clerestory.integrations.background import BackgroundHandler
from clerestory.log_manager import LogManager
from clerestory.log_metrics import MetricsCollector
from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import LEVELS, CustomLogLevel, LogLevel
from clerestory.testing import capture

SOURCE = Path(__file__).parents[2] / "src"
BASIC = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "standard": {"format": "%(asctime)s [%(levelname)s] %(name)s: %(message)s"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "standard", "level": "INFO"},
        "file": {
            "class": "logging.handlers.RotatingFileHandler",
            "formatter": "standard",
            "filename": "dreamos.log",
            "maxBytes": 10485760,
            "backupCount": 5,
        },
    },
    "loggers": {"": {"handlers": ["console", "file"], "level": "INFO", "propagate": True}},
}
ADVANCED = {
    "metrics": {"enabled": True, "collection_interval": 60, "storage": "prometheus"},
    "rotation": {"max_size": "10MB", "backup_count": 5, "compression": True},
    "aggregation": {"enabled": True, "interval": 300, "storage": "elasticsearch"},
}
SEED = """
import asyncio, json, sys
from clerestory.log_manager import LogManager
from clerestory.model.severity import LogLevel

async def main():
    log_manager = LogManager(json.loads(sys.argv[1]))
    await log_manager.initialize()

    # Log with metrics
    async def log_with_metrics(level: LogLevel, message: str, **kwargs):
        await log_manager.log(level, message, **kwargs)
        await log_manager.metrics_collector.record_log(level)

    # Log with aggregation
    async def log_with_aggregation(level: LogLevel, message: str, **kwargs):
        await log_manager.log(level, message, **kwargs)
        await log_manager.aggregator.aggregate(level, message, **kwargs)

    await log_with_metrics(LogLevel.INFO, "counted", user_id="123")
    await log_with_aggregation(LogLevel.ERROR, "failed", user_id="123")
    await log_manager.log("debug", "detail")
    print(json.dumps([sorted(log_manager.handlers), sorted(log_manager.formatters)]))
    await log_manager.close()

asyncio.run(main())
"""


class Hostile(Any):  # type: ignore[misc]
    def __repr__(self, *_):
        raise RuntimeError("no")

    __str__ = __bool__ = __eq__ = __hash__ = __repr__


def made(caught):
    """Return what was caught, without what asyncio says about itself."""
    return [record for record in caught.records if record["logger"] != "asyncio"]


def run_seed(tmp_path, config):
    environ = {key: value for key, value in os.environ.items() if "CLERESTORY" not in key}
    environ |= {
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_DESTINATIONS": "file:out.jsonl",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SEED, json.dumps(config)], cwd=tmp_path, env=environ,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    return done, [json.loads(line) for line in lines]


@pytest.mark.parametrize("advanced", [False, True])
@pytest.mark.parametrize("basic", [False, True])
def test_the_seeds_examples_run_with_each_configuration(tmp_path, basic, advanced):
    """Only the import line differs. Nobody listens at Elasticsearch's port, and nothing is lost."""
    config = (BASIC if basic else {}) | (ADVANCED if advanced else {})
    if advanced:
        nobody = {"storage": "http://127.0.0.1:1"}
        config["aggregation"] = ADVANCED["aggregation"] | nobody

    done, records = run_seed(tmp_path, config)

    assert done.returncode == 0, done.stderr
    names = [["console", "file"], ["standard"]] if basic else [[], []]
    assert done.stdout.strip() == str(names).replace("'", '"')
    assert [(one["level"], one["message"], one["user_id"]) for one in records[:2]] == [
        ("INFO", "counted", "123"),
        ("ERROR", "failed", "123"),
    ]
    assert records[0]["logger"] == "__main__"
    assert records[0]["funcName"] == "log_with_metrics"
    assert (records[2]["message"], records[2]["count"]) == ("failed", 1)
    if basic:
        text = (tmp_path / "dreamos.log").read_text()
        assert "[INFO] __main__: counted\n" in text
        assert "[ERROR] __main__: failed\n" in done.stderr


def test_the_level_of_the_dictionary_holds(tmp_path):
    """The road starts after it, and brings a level of its own."""
    config = BASIC | {"loggers": {"": {"handlers": ["file"], "level": "DEBUG"}}}

    done, records = run_seed(tmp_path, config)

    assert done.returncode == 0, done.stderr
    assert "detail" in [record["message"] for record in records]
    assert "[DEBUG] __main__: detail\n" in (tmp_path / "dreamos.log").read_text()


@pytest.mark.parametrize(
    ("level", "name"),
    [
        *((level, level.name) for level in LogLevel),
        *((level, level.name) for level in CustomLogLevel),
        ("debug", "DEBUG"),
        ("Warn", "WARNING"),
        ("EMERGENCY", "EMERGENCY"),
        (15, "VERBOSE"),
        (33, "WARNING"),
    ],
)
def test_a_level_is_a_member_a_name_in_any_case_or_a_number(level, name):
    """The five standard levels and the seed's five."""
    with capture() as caught:
        asyncio.run(LogManager().log(level, "x"))

    assert made(caught)[0]["level"] == name


def test_the_members_are_the_ten_levels():
    """One table of levels."""
    assert {level.name: level.value for level in LogLevel} == LEVELS
    assert {level.name: level.value for level in CustomLogLevel}.items() <= LEVELS.items()


def test_a_record_of_an_unknown_level_is_seen():
    """A typing error must not hide what may matter."""
    with capture() as caught:
        asyncio.run(LogManager().log("sever", "x"))

    assert (made(caught)[0]["level"], made(caught)[0]["field.level"]) == ("WARNING", "sever")


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"exc_info": Hostile()},
        {"exc_info": ("a", "b")},
        {"extra": Hostile()},
        {"extra": {3: Hostile(), "message": 1}},
        {"stacklevel": "deep"},
        {"stack_info": Hostile()},
        {"logger": Hostile()},
        {"msg": 1, "args": 2, "name": 3, "timestamp": 4, "lineno": 5, "levelname": 6},
    ],
)
def test_hostile_values_are_logged_and_never_raise(fields, listens):
    """With and without a handler of somebody else."""
    root = logging.root
    before = root.handlers[:]
    root.handlers = [logging.NullHandler()] if listens else []
    try:
        with capture() as caught:
            asyncio.run(LogManager().log(Hostile(), Hostile(), **fields))
    finally:
        root.handlers = before

    assert len(made(caught)) == 1
    assert made(caught)[0]["level"] == "WARNING"


def test_the_record_is_made_when_the_call_returns():
    """Before anything is awaited, and with the place of the call."""
    with capture() as caught:

        async def main():
            waiting = [LogManager().log("info", f"n{n}", n=n) for n in range(3)]
            assert [record["message"] for record in made(caught)] == ["n0", "n1", "n2"]
            await asyncio.gather(*waiting)

        asyncio.run(main())

    assert made(caught)[0]["funcName"] in {"<listcomp>", "main"}
    assert made(caught)[0]["module"] == "test_log_manager"
    assert made(caught)[0]["logger"] == __name__


def test_an_exception_and_the_named_logger_are_recorded():
    """What the standard library's arguments mean, they mean here."""
    with capture() as caught:
        asyncio.run(LogManager().log("error", "failed", exc_info=ValueError("x"), logger="shop"))

    assert made(caught)[0]["exception.type"] == "ValueError"
    assert made(caught)[0]["logger"] == "shop"


def test_a_slow_handler_holds_neither_the_loop_nor_the_caller():
    """Each handler of the configuration has a thread of its own."""
    may_go_on = threading.Event()
    seen = []

    class Slow(logging.Handler):
        def emit(self, record):
            assert may_go_on.wait(10)
            seen.append((record.getMessage(), record.exc_info[1] if record.exc_info else None))

    builtins.SlowHandler = Slow  # type: ignore[attr-defined]
    before, level = logging.root.handlers[:], logging.root.level
    error = ValueError("x")
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"slow": {"()": "builtins.SlowHandler"}},
        "root": {"handlers": ["slow"], "level": "INFO"},
    }

    async def main():
        manager = LogManager(config)
        await manager.initialize()
        begun = time.monotonic()
        for n in range(100):
            await manager.log("info", f"n{n}", exc_info=error if n == 0 else None)
        took_s = time.monotonic() - begun
        assert seen == []
        assert isinstance(manager.handlers["slow"], Slow)
        may_go_on.set()
        await manager.close()
        return took_s

    try:
        with capture() as caught:
            took_s = asyncio.run(main())
    finally:
        logging.root.handlers = before
        logging.root.setLevel(level)
        del builtins.SlowHandler  # type: ignore[attr-defined]

    assert took_s < 2
    assert seen == [("n0", error), *((f"n{n}", None) for n in range(1, 100))]
    assert len(made(caught)) == 100


def test_at_exit_handlers_get_what_is_left(tmp_path):
    """A program that never calls `close` ends as one with plain handlers does."""
    program = f"""
import asyncio, json
from clerestory.log_manager import LogManager

async def main():
    manager = LogManager({BASIC!r})
    await manager.initialize()
    for n in range(2000):
        await manager.log("info", f"n{{n}}")

asyncio.run(main())
"""
    environ = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_DESTINATIONS": "memory",
    }

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip

    lines = (tmp_path / "dreamos.log").read_text().splitlines()
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(" ")[2] for line in lines] == [f"n{n}" for n in range(2000)]
    assert len(done.stderr.splitlines()) == 2000


def test_a_forked_child_has_handlers_that_work(tmp_path):
    """The thread before a handler does not survive a fork; a new one takes its place."""
    program = f"""
import asyncio, os, logging
from clerestory.log_manager import LogManager

async def main(name):
    manager = LogManager({BASIC!r})
    await manager.initialize()
    await manager.log("info", name)

asyncio.run(main("parent"))
pid = os.fork()
if not pid:
    logging.getLogger("plain").info("child")
    logging.shutdown()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    environ = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_DESTINATIONS": "memory",
    }

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip

    text = (tmp_path / "dreamos.log").read_text()
    assert done.returncode == 0, done.stderr
    assert (text.count("parent"), text.count(": child")) == (1, 1)


def test_records_that_a_handler_is_too_slow_for_are_counted():
    """The queue before a handler is bounded."""
    may_go_on = threading.Event()

    class Stuck(logging.Handler):
        def emit(self, record):
            assert may_go_on.wait(30)

    handler = BackgroundHandler(Stuck())
    for n in range(10_100):
        handler.handle(logging.makeLogRecord({"msg": f"n{n}", "levelno": 20}))
    may_go_on.set()

    assert handler.drain(10)
    assert 99 <= handler.dropped <= 100


def test_a_handler_that_raises_gets_the_next_record(capsys):
    """One bad record must not silence a handler."""
    seen = []

    class Raising(logging.Handler):
        def emit(self, record):
            seen.append(record.msg)
            raise RuntimeError("no")

    handler = BackgroundHandler(Raising())
    for n in range(2):
        handler.handle(logging.makeLogRecord({"msg": f"n{n}", "levelno": 20}))

    assert handler.drain(10)
    assert seen == ["n0", "n1"]
    assert "RuntimeError: no" in capsys.readouterr().err


def test_counts_are_kept_by_level_and_shown_to_prometheus():
    """`record_log` counts what was logged elsewhere."""
    with capture():

        async def main():
            manager = LogManager()
            await manager.initialize()
            await manager.log("info", "x")
            await manager.metrics_collector.record_log(LogLevel.ERROR)
            await manager.metrics_collector.record_log("loud")
            await manager.metrics_collector.record_rotation()
            await manager.metrics_collector.record_storage()
            return manager.metrics_collector

        collector = asyncio.run(main())

    assert collector.snapshot() == {
        "log_count": 3, "error_count": 1, "rotation_count": 1, "storage_count": 1,
        "failure_count": 0, "levels": {"INFO": 1, "ERROR": 1, "WARNING": 1},
    }  # fmt: skip
    text = collector.exposition()
    assert 'clerestory_log_records_total{level="ERROR"} 1.0\n' in text
    assert "clerestory_rotations_total 1.0\n" in text


def test_without_prometheus_client_the_error_names_the_extra(monkeypatch):
    """An optional package is asked for where it is used."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'clerestory\[prometheus\]'"):
        MetricsCollector().exposition()


def test_counts_are_logged_each_interval_where_that_is_asked_for():
    """`metrics.storage: log`."""
    with capture() as caught:
        manager = LogManager({"metrics": {"storage": "log", "collection_interval": 0}})
        asyncio.run(manager.log("info", "x"))

    assert caught.find("log metrics", logger="clerestory.log_metrics")["log_count"] == 1


def test_metrics_that_are_disabled_count_nothing():
    """`enabled: false`."""
    with capture():
        manager = LogManager({"metrics": {"enabled": False}})
        asyncio.run(manager.log("info", "x"))

    assert manager.metrics_collector.snapshot()["log_count"] == 0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"metric": {}}, "LogManager: unknown key 'metric'; did you mean 'metrics'"),
        ({"handler": {}}, "did you mean 'handlers'"),
        ({"metrics": {"enable": 1}}, "metrics: unknown key 'enable'; did you mean 'enabled'"),
        ({"metrics": {"storage": "statsd"}}, "one of memory, log, prometheus, got 'statsd'"),
        ({"metrics": {"collection_interval": "soon"}}, "metrics.collection_interval"),
        ({"rotation": {"backupCount": 5}}, "did you mean 'backup_count'"),
        ({"aggregation": {"storrage": 1}}, "did you mean 'storage'"),
    ],
)
def test_a_wrong_configuration_is_a_clear_error(config, said):
    """The message names the key and the nearest known one."""
    with pytest.raises(ConfigurationError, match=said):
        LogManager(config)


def test_a_dictionary_that_logging_does_not_understand_is_a_clear_error():
    """The cause stands in the message."""
    config = {"version": 1, "handlers": {"x": {"class": "no.such.Handler"}}}

    with pytest.raises(ConfigurationError, match="Unable to configure handler 'x'"):
        asyncio.run(LogManager(config).initialize())
