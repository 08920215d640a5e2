"""The rotating file: several processes, rotation, retention."""

import gzip
import json
import os
import threading
import time
from calendar import timegm
from pathlib import Path

import pytest

from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy, rotation_policy
from clerestory.model.errors import ConfigurationError
from tests.support.programs import popen

WRITER = """
import sys
from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy
file = RotatingFile(sys.argv[1], policy=RotationPolicy(bytes_max=20_000, keep_count=10_000))
for n in range(500):
    file.append(b'{"writer":%d,"n":%d,"pad":"%b"}\\n' % (int(sys.argv[2]), n, b"x" * 80))
"""
DAILY_WRITER = """
import sys
from clerestory.destinations.rotation.rotating import RotatingFile, rotation_policy
file = RotatingFile(sys.argv[1], policy=rotation_policy("main", compress=True))
for n in range(100):
    file.append(b'{"writer":%d,"n":%d}\\n' % (int(sys.argv[2]), n))
"""
DAY_S = 86_400


def seconds(moment):
    return timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%S"))


class Clock:
    def __init__(self, moment):
        self.now = seconds(moment)

    def __call__(self):
        return self.now


def wait_for_waiters(lock, count):
    """Wait until so many wait for a lock, as the operating system sees it."""
    deadline = time.monotonic() + 10
    inode = f":{lock.stat().st_ino} "
    while True:
        locks = Path("/proc/locks").read_text().splitlines()
        if sum("->" in line and inode in line for line in locks) == count:
            return
        assert time.monotonic() < deadline


def all_lines(path):
    files = [path, *path.parent.glob(f"{path.name}.[0-9]*")]
    return [line for file in files for line in file.read_text().splitlines()]


def test_row_33_four_processes_rotate_one_file_and_lose_nothing(tmp_path):
    """Each line of four writers is in the file or an old one, once and whole."""
    path = tmp_path / "app.log"

    processes = [popen(WRITER, str(path), str(writer)) for writer in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in processes]

    found = sorted((one["writer"], one["n"]) for one in map(json.loads, all_lines(path)))
    assert errors == [""] * 4
    assert found == [(writer, n) for writer in range(4) for n in range(500)]
    assert all(file.stat().st_size <= 20_000 for file in tmp_path.glob("app.log*"))


def test_old_files_are_compressed_numbered_and_removed_by_count(tmp_path):
    """The newest old file is .1; beyond `keep_count` they go."""
    path = tmp_path / "app.log"
    file = RotatingFile(path, policy=RotationPolicy(bytes_max=10, keep_count=2, compress=True))

    for text in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
        file.append(text)

    assert path.read_bytes() == b"fourth\n"
    assert gzip.decompress((tmp_path / "app.log.1.gz").read_bytes()) == b"third\n"
    assert gzip.decompress((tmp_path / "app.log.2.gz").read_bytes()) == b"second\n"
    assert not (tmp_path / "app.log.3.gz").exists()
    assert file.rotations == 3


@pytest.mark.parametrize(
    ("period", "first", "later", "name"),
    [
        ("hourly", "2026-11-21T22:59:59", "2026-11-21T23:00:00", "2026-11-21T22"),
        ("daily", "2026-11-21T23:59:59", "2026-11-22T00:00:00", "2026-11-21"),
        ("weekly", "2026-11-22T23:59:59", "2026-11-23T00:00:00", "2026-W47"),
        ("monthly", "2026-11-30T23:59:59", "2026-12-01T00:00:00", "2026-11"),
    ],
)
def test_a_new_period_begins_a_new_file(tmp_path, period, first, later, name):
    """Time rotation follows the clock, also when the program was not running at the turn."""
    clock = Clock(later)
    path = tmp_path / "app.log"
    file = RotatingFile(path, policy=RotationPolicy(rotate_every=period), now=clock)
    path.write_bytes(b"before\n")
    os.utime(path, (seconds(first),) * 2)

    file.append(b"after\n")
    os.utime(path, (clock(),) * 2)
    file.append(b"the same period\n")

    assert path.read_bytes() == b"after\nthe same period\n"
    assert (tmp_path / f"app.log.{name}").read_bytes() == b"before\n"
    assert file.rotations == 1


def test_one_of_four_processes_turns_the_day(tmp_path):
    """All see that it is due, one rotates, and its file is compressed as of its last line."""
    path = tmp_path / "app.log"
    path.write_bytes(b'{"writer":-1,"n":-1}\n')
    yesterday_s = int(time.time() / DAY_S) * DAY_S - 3600
    os.utime(path, (yesterday_s,) * 2)

    processes = [popen(DAILY_WRITER, str(path), str(writer)) for writer in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in processes]

    (old,) = tmp_path.glob("app.log.*.gz")
    assert errors == [""] * 4
    assert old.name == f"app.log.{time.strftime('%Y-%m-%d', time.gmtime(yesterday_s))}.gz"
    assert old.stat().st_mtime == yesterday_s
    assert gzip.decompress(old.read_bytes()) == b'{"writer":-1,"n":-1}\n'
    assert len(path.read_bytes().splitlines()) == 4 * 100


def test_old_files_of_one_period_keep_their_names(tmp_path):
    """A backup or a reader finds yesterday's file under the name that it had yesterday."""
    clock = Clock("2026-11-21T10:00:00")
    path = tmp_path / "app.log"
    policy = RotationPolicy(rotate_every="daily", bytes_max=10, keep_count=None)
    file = RotatingFile(path, policy=policy, now=clock)

    for text in (b"first\n", b"second\n", b"third\n"):
        file.append(text)
        os.utime(path, (clock(),) * 2)

    assert (tmp_path / "app.log.2026-11-21").read_bytes() == b"first\n"
    assert (tmp_path / "app.log.2026-11-21.1").read_bytes() == b"second\n"
    assert path.read_bytes() == b"third\n"


def test_the_audit_policy_keeps_seven_years_of_days_whatever_their_number(tmp_path):
    """2557 days: the count removes nothing, the age only what is older."""
    clock = Clock("2026-11-21T12:00:00")
    path = tmp_path / "audit.jsonl"
    for day in range(1, 2600):
        old = (
            tmp_path
            / f"audit.jsonl.{time.strftime('%Y-%m-%d', time.gmtime(clock() - day * DAY_S))}"
        )
        old.write_bytes(b"{}\n")
        os.utime(old, (clock() - day * DAY_S,) * 2)

    file = RotatingFile(path, policy=rotation_policy("audit"), now=clock)
    file.append(b"{}\n")

    assert len(list(tmp_path.glob("audit.jsonl.2*"))) == 2557
    assert file.stats()["removed"] == 2599 - 2557
    assert (tmp_path / "audit.jsonl.2019-11-21").exists()
    assert not (tmp_path / "audit.jsonl.2019-11-20").exists()


def test_the_main_policy_keeps_ninety_days():
    """The names of the policies are what a configuration file says."""
    main, audit = rotation_policy("main"), rotation_policy("audit")

    assert (main.rotate_every, main.keep_days, main.keep_count) == ("daily", 90, None)
    assert (audit.rotate_every, audit.keep_days, audit.keep_count) == ("daily", 2557, None)


def test_options_override_a_named_policy_and_sizes_may_be_text():
    """`10MB` is what people write."""
    policy = rotation_policy("audit", bytes_max="10MB", keep_bytes="2GiB", compress="yes")

    assert (policy.bytes_max, policy.keep_bytes) == (10_000_000, 2 * 1024**3)
    assert policy.compress
    assert policy.keep_days == 2557
    assert rotation_policy() == RotationPolicy()
    assert rotation_policy(None, keep_count=None).keep_count is None


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("adit", {}, "file.policy 'adit' is unknown: write one of audit, main"),
        (None, {"keep": 3}, "file.keep is unknown: write one of bytes_max, rotate_every"),
        (None, {"bytes_max": "10 apples"}, "expected a size such as 4MiB"),
        (None, {"keep_count": -1}, "file.keep_count must be at least 0, got -1"),
        (None, {"rotate_every": "yearly"}, "hourly, daily, weekly, monthly or empty, got 'yearly'"),
    ],
)
def test_a_wrong_policy_is_a_clear_error(name, options, said):
    """The message says what may be written."""
    with pytest.raises(ConfigurationError, match=said):
        rotation_policy(name, **options)


def test_a_limit_in_bytes_keeps_the_newest(tmp_path):
    """The disk that old files take is bounded, whatever the count and the age allow."""
    path = tmp_path / "app.log"
    file = RotatingFile(path, policy=RotationPolicy(bytes_max=10, keep_count=None, keep_bytes=20))

    for number in range(6):
        file.append(b"line %d..\n" % number)

    assert path.read_bytes() == b"line 5..\n"
    assert [file.read_bytes() for file in sorted(tmp_path.glob("app.log.[0-9]*"))] == [
        b"line 4..\n",
        b"line 3..\n",
    ]
    assert file.stats() == {
        "written_bytes": 54, "rotations": 5, "compressed": 0, "removed": 3, "removed_bytes": 27,
        "mended": 0,
    }  # fmt: skip


def test_a_count_of_0_keeps_none_and_no_count_keeps_all(tmp_path):
    """0 is a limit like any other."""
    for keep_count, kept in ((0, 0), (None, 4)):
        path = tmp_path / str(keep_count) / "app.log"
        file = RotatingFile(path, policy=RotationPolicy(bytes_max=5, keep_count=keep_count))

        for _ in range(5):
            file.append(b"12345\n")

        assert len(list(path.parent.glob("app.log.[0-9]*"))) == kept


def test_retention_in_days_removes_what_is_older(tmp_path):
    """Old files go by age as well as by count."""
    path = tmp_path / "app.log"
    old = tmp_path / "app.log.1"
    old.write_bytes(b"old\n")
    os.utime(old, (time.time() - 8 * 86400,) * 2)
    path.write_bytes(b"current\n")

    RotatingFile(path, policy=RotationPolicy(bytes_max=5, keep_days=7)).append(b"new\n")

    assert (tmp_path / "app.log.1").read_bytes() == b"current\n"
    assert not (tmp_path / "app.log.2").exists()


def test_of_several_that_see_a_rotation_due_one_rotates(tmp_path):
    """Who waited for the lock looks again: a rotation more would make a file of one line."""
    path = tmp_path / "app.log"
    path.write_bytes(b"12345678\n")
    files = [RotatingFile(path, policy=RotationPolicy(bytes_max=10)) for _ in range(3)]
    threads = [threading.Thread(target=file.append, args=(b"12\n",)) for file in files]

    with files[0]._alone():
        for thread in threads:
            thread.start()
        wait_for_waiters(Path(f"{path}.lock"), 3)
    for thread in threads:
        thread.join()

    assert sum(file.rotations for file in files) == 1
    assert path.read_bytes() == b"12\n" * 3


def test_an_empty_file_is_not_rotated(tmp_path):
    """Old files hold records."""
    path = tmp_path / "app.log"
    path.touch()

    assert RotatingFile(path).rotate() is None
    assert RotatingFile(tmp_path / "none.log").rotate() is None
    assert not list(tmp_path.glob("*.1"))


def test_of_files_of_the_same_moment_the_newest_stay(tmp_path):
    """A copy or a restored backup has one time for all; then the names decide, as numbers."""
    path = tmp_path / "app.log"
    for name in [str(n) for n in range(1, 13)]:
        (tmp_path / f"app.log.{name}").write_bytes(b"x\n")
        os.utime(tmp_path / f"app.log.{name}", (1_000_000,) * 2)
    daily = tmp_path / "daily.log"
    for n in range(11):
        old = tmp_path / ("daily.log.2026-11-21" + (f".{n}" if n else ""))
        old.write_bytes(b"x\n")
        os.utime(old, (1_000_000,) * 2)

    for one in (path, daily):
        RotatingFile(one, policy=RotationPolicy(keep_count=2)).cleanup()

    assert sorted(one.name for one in tmp_path.glob("*.log.[0-9]*")) == [
        "app.log.1", "app.log.2", "daily.log.2026-11-21.10", "daily.log.2026-11-21.9",
    ]  # fmt: skip


def test_nobody_waits_for_a_compression_but_the_next_rotation(tmp_path):
    """A day of gigabytes is compressed while other processes go on appending."""
    path = tmp_path / "app.log"
    policy = RotationPolicy(compress=True)
    other = RotatingFile(path, policy=policy)
    other.append(b"first\n")

    with RotatingFile(path, policy=policy)._alone():  # as who compresses does
        other.append(b"meanwhile\n")

    assert path.read_bytes() == b"first\nmeanwhile\n"


def test_files_of_others_beside_the_log_are_left_alone(tmp_path):
    """Retention removes what rotation made, nothing else."""
    path = tmp_path / "app[1].log"
    others = [
        "app[1].log.bak",
        "app[1].log.2026",
        "app1.log.1",
        "app[1].log.1.gz.txt",
        "app[1].log.x.gz.new",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"mine\n")
    file = RotatingFile(path, policy=RotationPolicy(bytes_max=5, keep_count=0))

    for _ in range(3):
        file.append(b"12345\n")

    assert {one.name for one in tmp_path.iterdir()} == {*others, path.name, f"{path.name}.lock"} - {
        "app[1].log.2026"  # a number like any other
    }
