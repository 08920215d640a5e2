"""The rotating file: several processes, rotation, retention."""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clerestory.destinations.file import RotatingFile, RotationPolicy
from clerestory.model.errors import ConfigurationError

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import sys
from clerestory.destinations.file import RotatingFile, RotationPolicy
file = RotatingFile(sys.argv[1], policy=RotationPolicy(bytes_max=20_000, keep_count=10_000))
for n in range(500):
    file.append(b'{"writer":%d,"n":%d,"pad":"%b"}\\n' % (int(sys.argv[2]), n, b"x" * 80))
"""


def all_lines(path):
    files = [path, *path.parent.glob(f"{path.name}.[0-9]*")]
    return [line for file in files for line in file.read_text().splitlines()]


def test_row_33_four_processes_rotate_one_file_and_lose_nothing(tmp_path):
    """Each line of four writers is in the file or an old one, once and whole."""
    path = tmp_path / "app.log"

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(writer)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for writer in range(4)
    ]
    codes = [process.wait(60) for process in processes]

    found = sorted((one["writer"], one["n"]) for one in map(json.loads, all_lines(path)))
    assert codes == [0, 0, 0, 0]
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


@pytest.mark.parametrize(("period", "seconds"), [("hourly", 3600), ("daily", 86400)])
def test_a_new_period_begins_a_new_file(tmp_path, period, seconds):
    """Time rotation follows the clock, also when the program was not running at the turn."""
    now = [time.time()]
    path = tmp_path / "app.log"
    file = RotatingFile(path, policy=RotationPolicy(rotate_every=period), now=lambda: now[0])

    file.append(b"before\n")
    file.append(b"the same period\n") if now[0] % seconds < seconds - 5 else None
    now[0] += seconds
    file.append(b"after\n")

    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "app.log.1").read_bytes().startswith(b"before\n")


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


def test_an_unknown_period_is_a_clear_error():
    """The message says what may be written."""
    with pytest.raises(ConfigurationError, match="hourly, daily or empty, got 'weekly'"):
        RotationPolicy(rotate_every="weekly")
