"""Rotator, file and database: what programs store by themselves."""

import asyncio
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clerestory.context import request_context
from clerestory.destinations.rotation.rotating import RotationPolicy
from clerestory.model.errors import ConfigurationError, DeliveryError
from clerestory.model.severity import CustomLogLevel, LogLevel
from clerestory.storage.database import DatabaseLogStorage
from clerestory.storage.file import FileLogStorage
from clerestory.storage.rotator import LogRotator, policy_of

SOURCE = Path(__file__).parents[2] / "src"
WRITERS = """
import asyncio, sys
from clerestory.storage.database import DatabaseLogStorage
from clerestory.storage.file import FileLogStorage

async def main():
    database = DatabaseLogStorage(sys.argv[1] + "/logs.db")
    file = FileLogStorage({"path": sys.argv[1] + "/logs.jsonl", "max_size": "20kB",
                           "backup_count": None, "compression": True})
    for n in range(0, 200, 20):
        await asyncio.gather(*(
            storage.store("info", f"entry {one}", writer=int(sys.argv[2]), n=one)
            for one in range(n, n + 20) for storage in (database, file)
        ))

asyncio.run(main())
"""


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class Number(str):
    __slots__ = ()

    def strip(self, *_):
        raise RuntimeError("no")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def all_lines(path):
    found = lines_of(path)
    for old in path.parent.glob(f"{path.name}.[0-9]*"):
        found += [json.loads(line) for line in gzip.decompress(old.read_bytes()).splitlines()]
    return found


def store_all(storage, entries):
    async def main():
        await asyncio.gather(*(storage.store(level, text, **kw) for level, text, kw in entries))

    asyncio.run(main())


# -- rotator -----------------------------------------------------------------------------------


def test_a_rotator_rotates_compresses_keeps_and_counts(tmp_path):
    """The seed's rotation: a size, a count, compression."""
    path = tmp_path / "app.log"
    rotator = LogRotator({"max_size": "10MB", "backup_count": 2, "compression": True})

    async def main():
        old = []
        for n in range(4):
            path.write_bytes(b"%d\n" % n)
            old.append(await rotator.rotate(path))
        return old, await rotator.rotate(path)

    old, nothing = asyncio.run(main())

    assert old == [tmp_path / "app.log.1.gz"] * 4
    assert nothing is None
    assert gzip.decompress((tmp_path / "app.log.1.gz").read_bytes()) == b"3\n"
    assert gzip.decompress((tmp_path / "app.log.2.gz").read_bytes()) == b"2\n"
    assert len(list(tmp_path.glob("app.log.*.gz"))) == 2
    assert rotator.metrics_collector.snapshot()["rotation_count"] == 4
    assert rotator.stats()["removed"] == 2


def test_a_rotator_rotates_only_what_is_due_when_it_checks(tmp_path):
    """`check_rotation` may be called after each write."""
    path = tmp_path / "app.log"
    rotator = LogRotator({"max_size": 10, "backup_count": 2})
    path.write_bytes(b"small\n")

    async def main():
        first = await rotator.check_rotation(str(path))
        path.write_bytes(b"larger than ten\n")
        return first, await rotator.check_rotation(), await rotator.check_rotation()

    assert asyncio.run(main()) == (False, True, False)
    assert (tmp_path / "app.log.1").read_bytes() == b"larger than ten\n"


def test_a_rotator_cleans_up_what_is_too_old(tmp_path):
    """Retention also holds for a file that nobody writes any more."""
    path = tmp_path / "app.log"
    path.write_bytes(b"now\n")
    for n, days in enumerate((1, 91, 92), 1):
        old = tmp_path / f"app.log.{n}"
        old.write_bytes(b"old\n")
        os.utime(old, (time.time() - days * 86400,) * 2)

    removed = asyncio.run(LogRotator({"policy": "main"}).cleanup(path))

    assert removed == 2
    assert (tmp_path / "app.log.1").exists()


def test_a_rotation_has_the_seeds_names_and_ours():
    """`max_size` and `bytes_max` are the same; both at once are a contradiction."""
    assert policy_of(None) == RotationPolicy()
    assert policy_of({"policy": "audit", "max_size": "1GB"}).keep_days == 2557
    with pytest.raises(ConfigurationError, match="did you mean 'max_size'"):
        LogRotator({"max_sise": 3})
    with pytest.raises(ConfigurationError, match="two names"):
        LogRotator({"max_size": 3, "bytes_max": 3})


# -- file --------------------------------------------------------------------------------------


def test_a_file_storage_writes_lines_that_look_like_every_record(tmp_path):
    """Level, logger, context and fields; secrets are masked by name and by look."""
    storage = FileLogStorage(tmp_path / "logs.jsonl")

    async def main():
        with request_context(request_id="r1"):
            await storage.store(
                LogLevel.ERROR, "failed", logger="shop", order=7, password="hunter2"
            )
        await storage.store("notice", "to https://u:secret9@host/")
        await storage.store(CustomLogLevel.TRACE, "fine", level_of_detail=3)

    asyncio.run(main())

    first, second, third = lines_of(storage.path)
    assert first["timestamp"].endswith("Z")
    assert {key: first[key] for key in first if key != "timestamp"} == {
        "level": "ERROR", "logger": "shop", "message": "failed", "request_id": "r1", "order": 7,
        "password": "[redacted:password]",
    }  # fmt: skip
    assert second["level"] == "NOTICE"
    assert "secret9" not in second["message"]
    assert (third["level"], third["level_of_detail"]) == ("TRACE", 3)
    assert storage.stats()["stored"] == 3


@pytest.mark.parametrize("level", ["loud", None, 3.5, Number("INFO"), Hostile()])
@pytest.mark.parametrize("make", [FileLogStorage, DatabaseLogStorage])
def test_hostile_values_are_stored_and_never_raise(tmp_path, make, level):
    """Whatever is logged, the program goes on."""
    storage = make(tmp_path / "logs")
    cycle: list[object] = []
    cycle.append(cycle)

    store_all(
        storage,
        [(level, Hostile(), {"x": Hostile(), "y": cycle, "z": "\ud800", "n": float("nan")})],
    )

    assert storage.stats()["stored"] == 1


def test_a_file_storage_rotates_and_compresses_while_it_stores(tmp_path):
    """Every entry is in the file or in an old one."""
    storage = FileLogStorage(
        {"path": tmp_path / "logs.jsonl", "max_size": "5kB", "backup_count": None,
         "compression": True}
    )  # fmt: skip

    for n in range(0, 300, 10):
        store_all(storage, [("info", f"entry {one}", {"n": one}) for one in range(n, n + 10)])

    assert sorted(line["n"] for line in all_lines(storage.path)) == list(range(300))
    assert storage.stats()["rotations"] == len(list(tmp_path.glob("*.gz"))) > 3


def test_many_entries_at_once_cost_few_writes(tmp_path, monkeypatch):
    """A thousand tasks share the opening, the lock and the write."""
    storage = FileLogStorage(tmp_path / "logs.jsonl")
    writes = []
    append = storage._file.append

    def counted(text):
        writes.append(1)
        append(text)

    monkeypatch.setattr(storage._file, "append", counted)

    store_all(storage, [("info", "x", {"n": n}) for n in range(1000)])

    assert len(lines_of(storage.path)) == 1000
    assert len(writes) < 100


@pytest.mark.parametrize("make", [FileLogStorage, DatabaseLogStorage])
def test_a_disk_that_fails_is_an_error_to_the_caller_and_counted(tmp_path, make):
    """The caller decides; nothing is lost silently."""
    (tmp_path / "file").write_text("in the way of a folder")
    storage = make(tmp_path / "file" / "logs")

    with pytest.raises(DeliveryError, match="not stored"):
        store_all(storage, [("info", "x", {})])

    assert storage.stats()["failed"] == 1
    assert storage.stats()["stored"] == 0


def test_four_processes_store_in_one_file_and_one_database(tmp_path):
    """Locks of the operating system keep the order; nothing is lost, torn or doubled."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITERS, str(tmp_path), str(writer)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for writer in range(4)
    ]
    codes = [process.wait(60) for process in processes]

    stored = asyncio.run(DatabaseLogStorage(tmp_path / "logs.db").query(limit=10_000))
    expected = [(writer, n) for writer in range(4) for n in range(200)]
    assert codes == [0, 0, 0, 0]
    assert sorted((one["writer"], one["n"]) for one in stored) == expected
    in_files = all_lines(tmp_path / "logs.jsonl")
    assert sorted((one["writer"], one["n"]) for one in in_files) == expected
    assert len(list(tmp_path.glob("logs.jsonl.*.gz"))) > 2


# -- database ----------------------------------------------------------------------------------


def test_a_database_answers_by_level_time_and_limit(tmp_path):
    """The newest first, as they were stored."""
    now = [1_000_000.0]
    storage = DatabaseLogStorage(tmp_path / "logs.db", retention_days=None, now=lambda: now[0])
    levels = ("debug", "info", "warning", "error", "critical")
    store_all(storage, [(level, f"a {level}", {"logger": "shop", "n": 1}) for level in levels])

    async def main():
        newest = await storage.query(limit=1)
        errors = await storage.query(level="error")
        since = datetime.now(tz=UTC)
        return newest, errors, await storage.query(since=since), await storage.query(since=0.0)

    newest, errors, later, all_of_them = asyncio.run(main())

    assert {key: newest[0][key] for key in ("level", "logger", "message", "n")} == {
        "level": "CRITICAL", "logger": "shop", "message": "a critical", "n": 1,
    }  # fmt: skip
    assert newest[0]["timestamp"].endswith("Z")
    assert [one["level"] for one in errors] == ["CRITICAL", "ERROR"]
    assert later == []
    assert len(all_of_them) == 5


def test_old_entries_are_removed_by_age(tmp_path):
    """Asked for, and by itself while it stores."""
    clock = [time.time()]
    storage = DatabaseLogStorage(tmp_path / "logs.db", retention_days=7, now=lambda: clock[0])
    store_all(storage, [("info", "old", {})] * 3)

    clock[0] += 8 * 86_400
    removed = asyncio.run(storage.cleanup_old_logs())
    store_all(storage, [("info", "stored with the clock of the system", {})])
    clock[0] += 8 * 86_400
    store_all(storage, [("info", "its hour has come", {})])

    assert removed == 3
    assert storage.stats()["removed"] == 5
    assert asyncio.run(storage.query(since=timedelta(days=30))) == []


def test_a_query_that_cannot_be_is_a_clear_error(tmp_path):
    """Never a wrong answer."""
    storage = DatabaseLogStorage(tmp_path / "logs.db")

    with pytest.raises(ConfigurationError, match="unknown level 'loud'"):
        asyncio.run(storage.query(level="loud"))
    with pytest.raises(ConfigurationError, match="limit must be 1 to 100000, got 0"):
        asyncio.run(storage.query(limit=0))
    with pytest.raises(ConfigurationError, match="retention_days"):
        DatabaseLogStorage(tmp_path / "logs.db", retention_days=-1)
    assert asyncio.run(storage.query()) == []


def test_a_database_of_another_schema_is_left_alone(tmp_path):
    """Somebody else's file is no place for logs."""
    with sqlite3.connect(tmp_path / "logs.db") as connection:
        connection.execute("PRAGMA user_version = 77")
    connection.close()

    with pytest.raises(ConfigurationError, match="schema 77"):
        store_all(DatabaseLogStorage(tmp_path / "logs.db"), [("info", "x", {})])


def test_a_database_is_in_wal_mode_and_private(tmp_path):
    """Readers do not stop writers; other users do not read."""
    storage = DatabaseLogStorage(tmp_path / "logs.db")
    store_all(storage, [("info", "x", {})])

    connection = sqlite3.connect(storage.path)
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    asyncio.run(storage.close())

    assert mode == ("wal",)
    assert storage.path.stat().st_mode & 0o077 == 0


def test_a_forked_child_stores_beside_its_parent(tmp_path):
    """A connection to SQLite must not cross a fork."""
    program = f"""
import asyncio, os
from clerestory.storage.database import DatabaseLogStorage
storage = DatabaseLogStorage({str(tmp_path / "logs.db")!r})
asyncio.run(storage.store("info", "parent"))
pid = os.fork()
asyncio.run(storage.store("info", "both"))
if not pid:
    os._exit(len(storage._inherited) - 1)  # it kept the parent's connection, and did not use it
assert os.waitpid(pid, 0)[1] == 0
print(sorted(one["message"] for one in asyncio.run(storage.query())))
"""

    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.stdout == "['both', 'both', 'parent']\n", done.stderr
