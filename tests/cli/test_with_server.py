"""Commands with a real server: what goes in comes out."""

import contextlib
import gzip
import json
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.cli.shell import COMMAND, Shell
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server():
    """One server for the tests of this file; each uses a service of its own."""
    with ServerProcess() as running:
        yield running


@pytest.fixture
def shell(tmp_path, server):
    """A home whose commands find the server."""
    return Shell(tmp_path, server.url)


def _eventually(condition, what, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(what)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_file_is_sent_once_and_what_is_new_when_it_has_grown(shell, server):
    """An interrupted send is repeated; a log file grows."""
    path = shell.home / "grown.log"
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    path.write_text("".join(f"{now},000 INFO shop: line {n}\n" for n in range(100)))

    first = shell.run("send", str(path))
    again = shell.run("send", str(path))
    with path.open("a") as file:
        file.write(f"{now},000 ERROR shop: the last\n")
    grown = shell.run("send", str(path))

    counts = "{}: text, {} records made, {} stored, {} stored before, 0 rejected\n"
    assert first.stdout == counts.format(path, 100, 100, 0), first.stderr
    assert again.stdout == counts.format(path, 100, 0, 100)
    assert grown.stdout == counts.format(path, 101, 1, 100)
    assert len(server.rows("service=grown")) == 101
    assert [row["message"] for row in server.rows("service=grown level>=error")] == ["the last"]


def test_standard_input_and_gzipped_files_are_sent(shell, server):
    """`journalctl | clerestory send`; rotated files are compressed."""
    path = shell.home / "old.log.gz"
    path.write_bytes(gzip.compress(b'{"msg": "a", "level": "error", "n": 1}\n{"msg": "b"}\n'))

    zipped = shell.run("send", "--service", "zipped", str(path))
    piped = shell.run("send", "--service", "piped", text="INFO:a:b\nWARNING:a:c\n")

    assert "json, 2 records made, 2 stored" in zipped.stdout, zipped.stderr
    assert "python, 2 records made, 2 stored" in piped.stdout, piped.stderr
    assert [row["level"] for row in server.rows("service=piped")] == ["INFO", "WARNING"]
    assert server.rows("service=zipped n=1")[0]["message"] == "a"


def test_a_broken_line_is_counted_as_rejected_and_the_exit_code_says_so(shell):
    """Nothing disappears silently."""
    done = shell.run("send", "--service", "broken", text='{"msg": "a"}\n{"msg": \n{"msg": "b"}\n')

    assert "3 records made, 2 stored, 0 stored before, 1 rejected" in done.stdout
    assert done.returncode == 1


def test_query_pages_through_more_than_one_page(shell, server):
    """The API returns at most 1000 rows at a time."""
    server.send([{"message": f"m{n}", "n": n} for n in range(2500)], resource=_named("paged"))

    done = shell.run("query", "service:paged", "--limit", "2400", "--format", "json")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 2400
    assert len({row["id"] for row in rows}) == 2400


def test_query_shows_a_wrong_search_with_a_caret_and_ends_with_2(shell):
    """The place of the mistake is what one needs."""
    done = shell.run("query", 'level>=warn "open')

    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert lines[1] == '  level>=warn "open'
    assert lines[2].startswith("  " + " " * 12 + "^")


def test_a_reader_that_has_enough_is_no_error(shell, server):
    """`clerestory query … | head` is how people look."""
    server.send([{"message": "x" * 500} for _ in range(1000)], resource=_named("headed"))
    command = [*COMMAND, "query", "service:headed", "--limit", "1000", "--format", "json"]

    done = subprocess.run(
        f"{shlex.join(command)} | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", env=shell.environ, cwd=shell.home,
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_query_prints_tables_and_csv(shell, server):
    """People and spreadsheets."""
    record = {"level": "WARNING", "logger": "a", "message": 'x, "y"', "user_id": 42}
    server.send([record], resource=_named("printed"))

    table = shell.run("query", "service:printed")
    sheet = shell.run("query", "service:printed", "--format", "csv")

    assert 'WARNING   printed  a  x, "y"  user_id=42' in table.stdout
    assert table.stderr == "1 records from -15m to now\n"
    assert sheet.stdout.splitlines()[0] == (
        "ts,level,service,logger,message,trace_id,span_id,id,attrs"
    )
    assert ',WARNING,printed,a,"x, ""y""",' in sheet.stdout


def test_tail_shows_older_records_then_new_ones_and_survives_a_restart_of_the_server(tmp_path):
    """A tail that stops after a reconnect is worse than none."""
    port = str(_free_port())
    shell = Shell(tmp_path, f"http://127.0.0.1:{port}")
    data_dir = tmp_path / "data"
    with contextlib.ExitStack() as stack:
        first = ServerProcess(data_dir, "--port", port).start()
        stack.callback(first.stop)
        first.send([{"message": "before", "n": 0}, {"message": "other"}])
        tail = shell.start("tail", "--json", "-q", "has:n", "--since", "5m")
        stack.callback(tail.kill)
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["message"] == "before"

        first.send([{"message": "while", "n": 1}])
        assert json.loads(tail.stdout.readline())["message"] == "while"
        first.stop()
        second = ServerProcess(data_dir, "--port", port).start()
        stack.callback(second.stop)
        second.send([{"message": "after", "n": 2}])
        assert json.loads(tail.stdout.readline())["message"] == "after"
        tail.send_signal(signal.SIGINT)
        rest, _ = tail.communicate(timeout=10)

    assert rest == ""


def test_run_captures_a_program_that_knows_nothing_of_us(shell, server):
    """No edit, its own exit code, its own output."""
    program = shell.home / "app.py"
    program.write_text(
        "import logging, sys\n"
        "logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(message)s')\n"
        "logging.getLogger('a.b').info('hello %s', 'you', extra={'user_id': 7})\n"
        "sys.exit(3)\n"
    )

    done = shell.run("run", "--service", "captured", "--", sys.executable, str(program))

    assert done.returncode == 3
    assert done.stdout == "hello you\n"
    assert done.stderr == ""
    rows = server.rows("service=captured")
    assert [(row["message"], row["logger"]) for row in rows] == [("hello you", "a.b")]
    assert rows[0]["attrs"]["user_id"] == 7


def test_run_delivers_what_a_killed_program_left(shell, server):
    """The last words of a program that dies are the ones that matter."""
    code = "import logging, os; logging.warning('last words'); os.kill(os.getpid(), 9)"

    done = shell.run("run", "--service", "dead", "--", sys.executable, "-c", code)

    assert done.returncode == 128 + signal.SIGKILL
    assert [row["message"] for row in server.rows("service=dead")] == ["last words"]


def test_run_passes_signals_on(shell):
    """`docker stop` signals the first process only."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    running = shell.start("run", "--", sys.executable, "-c", code)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"

    running.send_signal(signal.SIGTERM)

    running.communicate(timeout=30)
    assert running.returncode == 5


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://logs.example.invalid:4318", "only one on this machine can be started"),
        ("http://127.0.0.1:{taken}", "is taken by another program"),
    ],
)
def test_run_says_why_it_cannot_start_a_server(tmp_path, endpoint, words):
    """A program that runs without its logs being captured would be the wrong surprise."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shell = Shell(tmp_path, endpoint.format(taken=other.getsockname()[1]))

        done = shell.run("run", "--", "echo", "ran")

    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_run_says_when_a_program_cannot_be_run(shell, program, code):
    """The codes of a shell."""
    done = shell.run("run", "--", program)

    assert done.returncode == code
    assert repr(program) in done.stderr


def test_run_keeps_another_sitecustomize_in_force(shell):
    """Coverage, debuggers and APM agents start the same way."""
    other = shell.home / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("print('other')\n")
    path = f"{other}:{shell.environ['PYTHONPATH']}"

    done = shell.run("run", "--", sys.executable, "-c", "print('program')", PYTHONPATH=path)

    assert done.stdout.splitlines()[-2:] == ["other", "program"]


def test_run_starts_a_server_for_as_long_as_the_program_runs(tmp_path):
    """The first thing that one tries, with nothing running."""
    shell = Shell(tmp_path, f"http://127.0.0.1:{_free_port()}")
    data_dir = tmp_path / "data"

    done = shell.run(
        "run", "--service", "alone", "--data-dir", str(data_dir), "--",
        sys.executable, "-c", "import logging; logging.warning('kept')",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert not (data_dir / "address").exists()
    with ServerProcess(data_dir) as server:
        assert [row["message"] for row in server.rows("service=alone")] == ["kept"]


def test_up_serves_adopts_and_stops(tmp_path):
    """The one command that everybody runs."""
    port = _free_port()
    shell = Shell(tmp_path, f"http://127.0.0.1:{port}")
    code = (
        "import os, clerestory\n"
        "clerestory.configure(service='orphan', destinations=['server'])\n"
        "clerestory.get_logger('a').warning('left behind')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=shell.environ, check=False)
    running = shell.start("up", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == f"clerestory: open http://127.0.0.1:{port}\n"

        found = _eventually(
            lambda: shell.run("query", "service:orphan", "--format", "json").stdout, "not adopted"
        )
        second = shell.run("up", "--port", "0", "--data-dir", str(tmp_path / "data"))
        taken = shell.run("up", "--port", str(port), "--data-dir", str(tmp_path / "data2"))
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)

    assert json.loads(found)["message"] == "left behind"
    assert running.returncode == 0
    assert (second.returncode, taken.returncode) == (1, 1)
    assert f"process {running.pid}" in second.stderr
    assert f"port {port}" in taken.stderr


def test_doctor_is_content_with_a_running_server(shell):
    """All is well: exit code 0."""
    done = shell.run("doctor", CLERESTORY_SPOOL_FREE_BYTES_MIN="1000")

    assert done.returncode == 0, done.stdout
    assert "answers in" in done.stdout


def _named(service: str) -> dict[str, str]:
    return {"service.name": service}
