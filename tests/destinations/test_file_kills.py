"""The rotating file and processes that are killed, by real SIGKILLs."""

import contextlib
import gzip
import json
import os
import signal
import time
from random import Random
from typing import Any

import pytest

from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy
from tests.support.programs import popen, run

ROTATED = RotationPolicy(bytes_max=1, keep_count=None, compress=True)
ROTATION = """
import os, signal, sys
from pathlib import Path
from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy
path, left = Path(sys.argv[1]), int(sys.argv[2])
folder = str(path.parent)

def kill_at_step(event, args):
    global left
    if event == "open" and not (isinstance(args[1], str) and args[1][0] in "aw"):
        return
    if event not in {"open", "os.rename", "os.remove", "os.utime", "os.chmod"}:
        return
    if str(args[0]).startswith(folder):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

file = RotatingFile(path, policy=RotationPolicy(bytes_max=1, keep_count=None, compress=True))
sys.addaudithook(kill_at_step)
file.rotate()
"""
BUSY = RotationPolicy(bytes_max=100_000, keep_count=None, compress=True)
BUSY_WRITER = """
import os, sys
from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy
file = RotatingFile(
    sys.argv[1], policy=RotationPolicy(bytes_max=100_000, keep_count=None, compress=True)
)
n = 0
while True:
    pad = b"x" * (n % 7 * 5000)
    file.append(b'{"writer":%d,"n":%d,"pad":"%b"}\\n' % (int(sys.argv[2]), n, pad))
    os.write(1, b"%d\\n" % n)
    n += 1
"""


def acks_in(path):
    return [int(line) for line in path.read_text().split("\n")[:-1]]


def kill_after(appends, process, acks):
    """Kill a writer after so many appends, wherever it is then."""
    deadline = time.monotonic() + 30
    while len(acks_in(acks)) < appends:
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.kill()
    process.wait()


def prepare(path):
    """Write a file that two rotations lie behind: one old file is compressed, one is not yet."""
    path.parent.mkdir()
    path.write_bytes(b'{"n":3}\n')
    path.with_name("app.log.1").write_bytes(b'{"n":2}\n')
    path.with_name("app.log.2.gz").write_bytes(gzip.compress(b'{"n":1}\n'))
    for age, name in enumerate(("app.log.1", "app.log.2.gz")):
        os.utime(path.with_name(name), (time.time() - 60 * (age + 1),) * 2)


def lines_of(path):
    """Return every record, those of the oldest file first."""
    files = [path, *sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=number_of)]
    texts = [
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in reversed(files)
    ]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def number_of(path):
    return int(path.name.split(".")[2])


def test_a_torn_last_line_of_a_killed_writer_is_cut_away(tmp_path):
    """The batch that it belongs to comes again; its fragment must not spoil the next line."""
    path = tmp_path / "app.log"
    path.write_bytes(b'{"n":1}\n{"n":2,"text":"half of it')
    file = RotatingFile(path)

    file.append(b'{"n":2}\n')

    assert path.read_bytes() == b'{"n":1}\n{"n":2}\n'
    assert file.stats()["mended"] == 1


def test_a_torn_last_line_does_not_get_into_an_old_file(tmp_path):
    """The file may be due when the next writer comes."""
    path = tmp_path / "app.log"
    path.write_bytes(b'{"n":1}\n{"n":2,"text":"half of it')
    file = RotatingFile(path, policy=RotationPolicy(bytes_max=1, keep_count=None))

    file.append(b'{"n":2}\n')

    assert (tmp_path / "app.log.1").read_bytes() == b'{"n":1}\n'
    assert path.read_bytes() == b'{"n":2}\n'
    assert file.stats()["mended"] == 1


def test_a_file_that_is_one_torn_line_is_used_again(tmp_path):
    """Without it there is nothing to keep."""
    path = tmp_path / "app.log"
    path.write_bytes(b'{"n":2,"text":"half of it')

    RotatingFile(path, policy=RotationPolicy(bytes_max=1, keep_count=None)).append(b'{"n":2}\n')

    assert path.read_bytes() == b'{"n":2}\n'
    assert not (tmp_path / "app.log.1").exists()


@pytest.mark.parametrize("last", [b'{"n":1}', b"somebody's text"])
def test_a_last_line_that_is_whole_gets_its_line_feed(tmp_path, last):
    """What somebody else wrote is not cut."""
    path = tmp_path / "app.log"
    path.write_bytes(last)

    RotatingFile(path).append(b'{"n":2}\n')

    assert path.read_bytes() == last + b'\n{"n":2}\n'


def test_a_failed_append_leaves_nothing_behind(tmp_path):
    """A full disk takes a part of a batch; the part would be there twice when it comes again."""
    path = tmp_path / "app.log"
    program = f"""
import resource, signal
from clerestory.delivery.port import Batch
from clerestory.destinations.rotation.rotating import RotatingFile
from clerestory.model.errors import RetryError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = RotatingFile({str(path)!r})
file.append(b"x" * 999 + b"\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))
line = b"y" * 999 + b"\\n"
try:
    file.send(Batch(spool_id="a" * 32, first=0, count=2, lines=line * 2, resource={{}}))
except RetryError as error:
    print(error)
"""

    done = run(program)

    assert done.stdout == f"{path} cannot be written: File too large\n", done.stderr
    assert path.stat().st_size == 1000


def test_killed_before_any_step_of_a_rotation_nothing_is_lost_and_nothing_stays(tmp_path):
    """SIGKILL before each single change of the folder, one run for each; then one more append."""
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        path = folder / "app.log"
        prepare(path)
        killed = run(ROTATION, str(path), str(steps)).returncode == -signal.SIGKILL

        RotatingFile(path, policy=ROTATED).append(b'{"n":4}\n')

        rotated = not path.read_bytes().startswith(b'{"n":3}')
        assert lines_of(path) == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}], f"step {steps}"
        assert not list(folder.glob("*.new"))
        assert not {f"{one}.gz" for one in folder.iterdir()} & {
            str(one) for one in folder.iterdir()
        }
        assert all(one.suffix == ".gz" for one in folder.glob("app.log.[0-9]*")), f"step {steps}"
        if not killed:
            assert rotated
            break
        steps += 1
    assert steps >= 6  # lock, two renames, the rename into place, compression, removal


def test_writers_that_are_killed_again_and_again_lose_and_tear_nothing(tmp_path):
    """What was appended is there once, whole, whenever SIGKILL hits four busy writers."""
    path = tmp_path / "app.log"
    random = Random(7)
    writers: dict[int, tuple[Any, Any]] = {}
    with contextlib.ExitStack() as stack:
        for number in range(40):
            slot = number % 4
            if slot in writers:
                kill_after(random.randrange(1, 40), *writers[slot])
            acks = tmp_path / f"acks-{number}"
            process = popen(BUSY_WRITER, str(path), str(number), out=acks)
            stack.callback(process.wait)
            stack.callback(process.kill)
            writers[slot] = process, acks
        for writer in writers.values():
            kill_after(1, *writer)
    acknowledged = {(n, one) for n in range(40) for one in acks_in(tmp_path / f"acks-{n}")}

    RotatingFile(path, policy=BUSY).append(b'{"writer":-1,"n":-1,"pad":""}\n')

    found = [(one["writer"], one["n"]) for one in lines_of(path)]
    assert len(acknowledged) > 100
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    assert not list(tmp_path.glob("*.new"))
    numbers = sorted(int(one.name.split(".")[2]) for one in tmp_path.glob("app.log.[0-9]*"))
    assert len(numbers) == len(set(numbers)) > 10


def test_what_a_killed_compression_left_goes_whatever_the_policy_is_now(tmp_path):
    """Somebody may have turned compression off meanwhile; nothing counts twice."""
    path = tmp_path / "app.log"
    (tmp_path / "app.log.1").write_bytes(b"one\n")
    (tmp_path / "app.log.1.gz.new").write_bytes(b"half of i")
    (tmp_path / "app.log.2").write_bytes(b"two\n")
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(b"two\n"))

    file = RotatingFile(path, policy=RotationPolicy(bytes_max=1, keep_count=3))
    file.append(b"four\n")
    file.append(b"five\n")

    assert {one.name for one in tmp_path.iterdir()} == {
        "app.log", "app.log.1", "app.log.2", "app.log.3.gz", "app.log.lock",
    }  # fmt: skip
    assert (tmp_path / "app.log.2").read_bytes() == b"one\n"
    assert file.stats()["mended"] == 2
