"""The rotating file: several processes, rotation, retention."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from calendar import timegm
from pathlib import Path
from random import Random

import pytest

from clerestory.destinations.file import RotatingFile, RotationPolicy, rotation_policy
from clerestory.model.errors import ConfigurationError

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import sys
from clerestory.destinations.file import RotatingFile, RotationPolicy
file = RotatingFile(sys.argv[1], policy=RotationPolicy(bytes_max=20_000, keep_count=10_000))
for n in range(500):
    file.append(b'{"writer":%d,"n":%d,"pad":"%b"}\\n' % (int(sys.argv[2]), n, b"x" * 80))
"""
ROTATED = RotationPolicy(bytes_max=1, keep_count=None, compress=True)
ROTATION = """
import os, signal, sys
from pathlib import Path
from clerestory.destinations.file import RotatingFile, RotationPolicy
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
from clerestory.destinations.file import RotatingFile, RotationPolicy
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
DAY_S = 86_400


def seconds(moment):
    return timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%S"))


class Clock:
    def __init__(self, moment):
        self.now = seconds(moment)

    def __call__(self):
        return self.now


def popen(program, *arguments, out=None):
    with contextlib.ExitStack() as stack:
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdout=stack.enter_context(out.open("wb")) if out else subprocess.PIPE,
            stderr=None if out else subprocess.PIPE,
            text=True,
        )


def run(program, *arguments):
    process = popen(program, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def acks_in(path):
    return [int(line) for line in path.read_text().split("\n")[:-1]]


def kill(process, acks, *, appends):
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


def test_a_torn_last_line_of_a_killed_writer_is_cut_away(tmp_path):
    """The batch that it belongs to comes again; its fragment must not spoil the next line."""
    path = tmp_path / "app.log"
    path.write_bytes(b'{"n":1}\n{"n":2,"text":"half of it')
    file = RotatingFile(path)

    file.append(b'{"n":2}\n')

    assert path.read_bytes() == b'{"n":1}\n{"n":2}\n'
    assert file.stats()["mended"] == 1


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
from clerestory.destinations.file import RotatingFile
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
    writers: dict[int, tuple[subprocess.Popen[str], Path]] = {}
    with contextlib.ExitStack() as stack:
        for number in range(40):
            slot = number % 4
            if slot in writers:
                kill(*writers[slot], appends=random.randrange(1, 40))
            acks = tmp_path / f"acks-{number}"
            process = popen(BUSY_WRITER, str(path), str(number), out=acks)
            stack.callback(process.kill)
            writers[slot] = process, acks
        for writer in writers.values():
            kill(*writer, appends=1)
    acknowledged = {(n, one) for n in range(40) for one in acks_in(tmp_path / f"acks-{n}")}

    RotatingFile(path, policy=BUSY).append(b'{"writer":-1,"n":-1,"pad":""}\n')

    found = [(one["writer"], one["n"]) for one in lines_of(path)]
    assert len(acknowledged) > 100
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    assert not list(tmp_path.glob("*.new"))
    numbers = sorted(int(one.name.split(".")[2]) for one in tmp_path.glob("app.log.[0-9]*"))
    assert len(numbers) == len(set(numbers)) > 10


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
