"""Entries that are alike are counted, and summed up at the end of each interval."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clerestory.aggregation import LogAggregator, template_of
from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import LogLevel
from clerestory.storage.database import DatabaseLogStorage
from clerestory.testing import capture

SOURCE = Path(__file__).parents[2] / "src"


class Kept:
    """A storage in memory that fails as often as it is told to."""

    def __init__(self, failures=0):
        self.entries = []
        self.failures = failures

    async def store(self, level, message, **kwargs):
        if self.failures:
            self.failures -= 1
            raise OSError("no space")
        self.entries.append({"level": level, "message": message, **kwargs})


class Hostile(Any):  # type: ignore[misc]
    def __str__(self):
        raise RuntimeError("no")


async def until(condition, deadline_s=10.0):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def test_entries_are_summed_up_by_level_logger_and_template():
    """Count, first and last time, level, message: one summary a group."""
    clock = [1200.0]
    kept = Kept()
    aggregator = LogAggregator({"interval": 300, "storage": kept}, now=lambda: clock[0])

    async def main():
        for n in range(5):
            clock[0] += 1
            await aggregator.aggregate("info", f"order {n} placed in {n}.5ms", logger="shop")
        await aggregator.aggregate(LogLevel.ERROR, "order 9 placed in 1.5ms", logger="shop")
        await aggregator.aggregate("info", "order 9 placed in 1.5ms", logger="till")
        await aggregator.close()

    asyncio.run(main())

    assert kept.entries[0] == {
        "level": "INFO", "message": "order <*> placed in <*>", "logger": "shop", "count": 5,
        "first": "1970-01-01T00:20:01.000000000Z", "last": "1970-01-01T00:20:05.000000000Z",
        "interval": 300.0,
    }  # fmt: skip
    assert [(one["level"], one["logger"], one["count"]) for one in kept.entries[1:]] == [
        ("INFO", "till", 1),
        ("ERROR", "shop", 1),
    ]
    assert aggregator.stats() == {
        "entries": 7, "summaries": 3, "failed": 0, "rerouted": 0, "overflow": 0, "groups": 0,
        "last_error": "",
    }  # fmt: skip


def test_summaries_are_written_at_the_end_of_each_interval(tmp_path):
    """On a real file and a real clock, without anybody asking."""
    path = tmp_path / "summaries.jsonl"
    aggregator = LogAggregator({"interval": "300ms", "storage": f"file:{path}"})

    async def main():
        begun = time.time()
        for _ in range(3):
            await aggregator.aggregate("warning", "disk 93% full")
        await until(lambda: aggregator.stats()["groups"] == 0 and path.exists())
        took_s = time.time() - begun
        await aggregator.aggregate("warning", "disk 94% full")
        await until(lambda: len(path.read_text().splitlines()) >= 2)
        return took_s

    took_s = asyncio.run(main())

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sum(one["count"] for one in lines) == 4
    assert {one["message"] for one in lines} == {"disk <*>% full"}
    assert {one["level"] for one in lines} == {"WARNING"}
    assert took_s < 5


def test_windows_are_multiples_of_the_interval_and_never_mixed():
    """Summaries of several processes can be added up."""
    clock = [299.0]
    kept = Kept()
    aggregator = LogAggregator({"interval": 300, "storage": kept}, now=lambda: clock[0])

    async def main():
        await aggregator.aggregate("info", "x")
        clock[0] = 301.0
        await aggregator.aggregate("info", "x")
        await aggregator.aggregate("info", "x")
        await aggregator.flush()
        await aggregator.close()

    asyncio.run(main())

    assert [(one["count"], one["first"][11:19]) for one in kept.entries] == [
        (1, "00:04:59"),
        (2, "00:05:01"),
    ]


def test_a_storage_that_fails_gets_the_summary_again():
    """Counts wait, and go on counting; nothing is lost or doubled."""
    kept = Kept(failures=2)
    aggregator = LogAggregator({"interval": 3600, "storage": kept})

    async def main():
        await aggregator.aggregate("info", "x")
        assert await aggregator.flush() == 0
        await aggregator.aggregate("info", "x")
        assert await aggregator.flush() == 0
        assert await aggregator.flush() == 1
        await aggregator.close()

    asyncio.run(main())

    assert sum(one["count"] for one in kept.entries) == 2
    assert aggregator.stats()["failed"] == 2
    assert aggregator.stats()["last_error"] == "OSError: no space"


def test_what_the_storage_does_not_take_in_the_end_is_logged():
    """A dead Elasticsearch costs no summary: it goes where every record goes."""
    with capture() as caught:

        async def main():
            aggregator = LogAggregator({"storage": Kept(failures=1)})
            await aggregator.aggregate("error", "payment 7 failed", logger="shop")
            await aggregator.close()

        asyncio.run(main())

    record = caught.find("payment <*> failed", logger="shop", count=1)
    assert record["level"] == "ERROR"


def test_the_end_of_the_loop_writes_what_is_there(tmp_path):
    """Who forgets `close` loses nothing when the program ends as it should."""
    path = tmp_path / "summaries.db"
    program = f"""
import asyncio
from clerestory.aggregation import LogAggregator

async def main():
    aggregator = LogAggregator({{"interval": 3600, "storage": "database:{path}"}})
    for n in range(10):
        await aggregator.aggregate("info", f"entry {{n}}")
    await asyncio.sleep(0)

asyncio.run(main())
"""

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=False,
    )  # fmt: skip

    stored = asyncio.run(DatabaseLogStorage(path).query())
    assert done.stderr == ""
    assert [(one["message"], one["count"]) for one in stored] == [("entry <*>", 10)]


def test_without_a_storage_summaries_are_records_like_every_other():
    """`LogAggregator()` works; the page shows what it found."""
    with capture() as caught:

        async def main():
            async with LogAggregator() as aggregator:
                await aggregator.aggregate("notice", "tick")

        asyncio.run(main())

    assert caught.find("tick", level="NOTICE", logger="aggregation")["count"] == 1


def test_memory_is_bounded_by_the_number_of_groups():
    """Beyond it entries are still counted, as `<other>`."""
    kept = Kept()
    aggregator = LogAggregator({"storage": kept}, groups_max=10)

    async def main():
        for n in range(100):
            await aggregator.aggregate("info", "kind " + "abcdefghij"[n % 10] * (n // 10 + 1))
        await aggregator.close()

    asyncio.run(main())

    assert len(kept.entries) == 11
    assert sum(one["count"] for one in kept.entries) == 100
    assert aggregator.stats()["overflow"] == 90


@pytest.mark.parametrize("level", ["loud", None, object()])
def test_hostile_values_are_counted_and_never_raise(level):
    """Whatever is aggregated, the program goes on."""
    kept = Kept()

    async def main():
        async with LogAggregator({"storage": kept}) as aggregator:
            await aggregator.aggregate(level, Hostile(), logger=Hostile(), template=None)

    asyncio.run(main())

    assert (kept.entries[0]["level"], kept.entries[0]["count"]) == ("WARNING", 1)


def test_a_disabled_aggregator_does_nothing():
    """`enabled: false` costs nothing, and opens no storage."""

    async def main():
        aggregator = LogAggregator({"enabled": False, "storage": "elasticsearch"})
        await aggregator.aggregate("info", "x")
        return aggregator.stats()["entries"]

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("order 88417 placed", "order <*> placed"),
        ("GET /api/v1/users/17 took 3.2ms", "GET /api/<*>/users/<*> took <*>"),
        ("id 6f1f2a3b-77aa-4c1d-9e0f-aabbccddeeff gone", "id <*> gone"),
        ("user=42, host=10.0.0.1:80", "user=<*>, host=<*>"),
        ("no number", "no number"),
    ],
)
def test_a_template_is_the_message_without_what_varies(message, template):
    """Two messages that differ in numbers alone are one group."""
    assert template_of(message) == template


def test_a_template_may_be_given():
    """Who has it already need not let it be guessed."""
    kept = Kept()

    async def main():
        async with LogAggregator({"storage": kept}) as aggregator:
            for name in ("ada", "bob"):
                await aggregator.aggregate("info", f"hello {name}", template="hello {name}")

    asyncio.run(main())

    assert [(one["message"], one["count"]) for one in kept.entries] == [("hello {name}", 2)]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"intervall": 3}, "unknown key 'intervall'; did you mean 'interval'"),
        ({"interval": "soon"}, "aggregation.interval: expected a time"),
        ({"interval": 0}, "must be more than 0"),
    ],
)
def test_a_wrong_configuration_is_a_clear_error(config, said):
    """The message names the key and the nearest known one."""
    with pytest.raises(ConfigurationError, match=said):
        LogAggregator(config)
