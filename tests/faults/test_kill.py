"""Programs and servers are killed, starved and cut off; nothing acknowledged is lost or doubled."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from signal import SIGKILL
from urllib.parse import urlsplit

import pytest

from tests.faults.harness import Writers, spools, wait_until
from tests.support.server import SOURCE, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(240)]


@pytest.fixture
def server():
    with ServerProcess() as running:
        yield running


def restarted(server):
    """Start a server again on the same data and port."""
    port = str(urlsplit(server.url).port)
    again = ServerProcess(server.data_dir, "--port", port)
    return again.start()


def test_rows_01_02_program_and_server_killed_in_turn_20_times(tmp_path, server):
    """While records flow, either side dies; the store has each acknowledged record once."""
    writers = Writers(tmp_path, server.url)
    running = server
    try:
        for turn in range(20):
            writer = writers.start()
            time.sleep(0.3)
            if turn % 2:
                running.stop(SIGKILL)
                running = restarted(running)
            time.sleep(0.2)
            writers.kill(writer)
        writers.adopt()
        promised, lost, doubled = writers.account(running)
    finally:
        writers.kill_all()
        if running is not server:
            running.stop()

    print(f"20 kills, {promised} records, {lost} lost, {doubled} stored twice")
    assert promised > 5000
    assert (lost, doubled) == (0, 0)


def test_row_01_saturating_writers_killed(tmp_path, server):
    """A writer that logs as fast as it can loses nothing either."""
    writers = Writers(tmp_path, server.url)
    try:
        for _ in range(3):
            writer = writers.start(pause_s=0)
            wait_until(lambda writer=writer: writers.returned(writer) > 20_000, 30)
            writers.kill(writer)
        writers.adopt()
        promised, lost, doubled = writers.account(server)
    finally:
        writers.kill_all()

    assert promised > 60_000
    assert (lost, doubled) == (0, 0)


def test_row_11_server_away_then_back(tmp_path, server):
    """Records made while the server is away arrive when it is back; the program does not wait."""
    writers = Writers(tmp_path, server.url)
    running = server
    away_s = float(os.environ.get("CLERESTORY_TEST_AWAY_S", "6"))
    try:
        writer = writers.start()
        running.stop()
        before = writers.returned(writer)
        time.sleep(away_s)
        while_away = writers.returned(writer) - before
        running = restarted(running)
        wait_until(lambda: len(running.rows("numbered", limit=1000)) >= 1000, 30)
        writers.kill(writer)
        writers.adopt()
        promised, lost, doubled = writers.account(running)
    finally:
        writers.kill_all()
        if running is not server:
            running.stop()

    assert while_away > 500 * away_s
    assert promised > while_away
    assert (lost, doubled) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: mounting a small disk needs root")
def test_row_08_disk_of_the_spool_full(tmp_path, server):
    """On a full disk the program goes on, and what it was promised arrives."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("LOUD: no tmpfs can be mounted here")
    writers = Writers(tmp_path, server.url, disk / "spool")
    try:
        writer = writers.start(pause_s=0.004)
        with (disk / "filler").open("wb") as filler:
            try:
                while True:
                    filler.write(bytes(65536))
                    filler.flush()
            except OSError:
                pass
        assert shutil.disk_usage(disk).free < 65536
        full_from = writers.returned(writer)
        wait_until(lambda: writers.returned(writer) > full_from + 20_000, 60)
        writers.kill(writer)
        writers.adopt()
        promised, lost, doubled = writers.account(server)
    finally:
        writers.kill_all()
        subprocess.run(["umount", "-l", disk], check=False)

    assert promised > 20_000
    assert (lost, doubled) == (0, 0)


def environment(folder, url):
    """Return the environment of a program that logs to the server only."""
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_ENDPOINT": url,
        "CLERESTORY_DESTINATIONS": "server",
        "CLERESTORY_SPOOL_DIRECTORY": str(folder / "spool"),
    }


def run(tmp_path, url, program, timeout_s=30):
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    start = time.monotonic()
    answer = subprocess.run(
        [sys.executable, str(script)],
        env=environment(tmp_path, url),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return answer, time.monotonic() - start


def test_row_05_forked_children_arrive_and_nothing_twice(tmp_path, server):
    """os.fork with os._exit, multiprocessing fork and spawn, a process pool: all arrive once."""
    answer, _ = run(
        tmp_path,
        server.url,
        """
        import multiprocessing, os, sys
        from concurrent.futures import ProcessPoolExecutor
        import clerestory
        log = clerestory.get_logger("forks")

        def work(name, count=500):
            for n in range(count):
                log.info("numbered", who=name, n=n)

        def pooled(i):
            log.info("numbered", who="pool", n=i)
            return i

        if __name__ == "__main__":
            work("parent-before")
            pid = os.fork()
            if pid == 0:
                work("os._exit")
                os._exit(0)
            os.waitpid(pid, 0)
            pid = os.fork()
            if pid == 0:
                work("sys.exit")
                sys.exit(0)
            os.waitpid(pid, 0)
            for method in ("fork", "spawn", "forkserver"):
                process = multiprocessing.get_context(method).Process(target=work, args=(method,))
                process.start()
                process.join()
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
                assert sorted(pool.map(pooled, range(500))) == list(range(500))
            work("parent-after")
        """,
        60,
    )
    Writers(tmp_path, server.url).adopt()

    assert answer.returncode == 0, answer.stderr
    rows = []
    for who in (
        "parent-before", "os._exit", "sys.exit", "fork", "spawn", "forkserver", "pool",
        "parent-after",
    ):  # fmt: skip
        found = [row["attrs"]["n"] for row in server.rows(f'who="{who}"')]
        rows.append((who, len(found), len(set(found))))
    assert rows == [(who, 500, 500) for who, _, _ in rows]


@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "black hole"])
def test_row_12_exit_takes_at_most_two_seconds_whatever_the_destination_does(
    tmp_path, server, place
):
    """With a dead or a silent endpoint the program ends in time and the next one delivers."""
    hole = socket.create_server(("127.0.0.1", 0))
    url = place if place.startswith("http") else f"http://127.0.0.1:{hole.getsockname()[1]}"
    answer, took_s = run(
        tmp_path,
        url,
        """
        import clerestory, time
        log = clerestory.get_logger("exit")
        for n in range(1000):
            log.info("numbered", n=n)
        time.sleep(0.3)
        print(time.monotonic())
        """,
    )
    hole.close()
    (left,) = spools(tmp_path / "spool")

    assert answer.returncode == 0, answer.stderr
    assert took_s < 2.0 + 1.5
    assert b'"n":999' in next(left.glob("*.seg")).read_bytes()


def test_row_29_and_30_signal_handlers_del_and_interpreter_exit(tmp_path, server):
    """Logging from a signal handler, __del__, atexit and a daemon thread at exit: all kept."""
    answer, _ = run(
        tmp_path,
        server.url,
        """
        import atexit, signal, threading, time
        import clerestory
        log = clerestory.get_logger("odd")
        fired = 0

        def on_alarm(signum, frame):
            global fired
            log.info("from signal", n=fired)
            fired += 1

        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        end = time.monotonic() + 1.5
        made = 0
        while time.monotonic() < end:
            log.info("from loop", n=made)
            made += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        atexit.register(lambda: log.info("from atexit before"))

        class Late:
            log = log

            def __del__(self):
                self.log.info("from del")

        keep = Late()
        clerestory.shutdown()
        log.info("after shutdown")
        del keep
        threading.Thread(target=lambda: [log.debug("x") or time.sleep(0.01) for _ in range(9999)],
                         daemon=True).start()
        print(fired, made)
        """,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    fired, made = map(int, answer.stdout.split())
    Writers(tmp_path, server.url).adopt()

    def matched(q):
        return server.get("/api/v1/histogram", q=q, **{"from": "-1d"})["matched"]

    assert fired > 100
    assert (matched('"from signal"'), matched('"from loop"')) == (fired, made)
    assert matched('"after shutdown"') == 1
    assert matched('"from atexit before"') == 1
    assert matched('"from del"') == 1


GUNICORN_APP = """
import os, clerestory
log = clerestory.get_logger("web")
log.info("loaded")

def app(environ, start_response):
    log.info("numbered", n=int(environ["QUERY_STRING"]), pid=os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Gunicorn:
    """gunicorn with two preforked workers that serve the application above."""

    def __init__(self, folder, url):
        (folder / "app.py").write_text(GUNICORN_APP)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        bind = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-b", bind, "-w", "2", "--preload", "app:app"],
            cwd=folder,
            env=environment(folder, url),
            stderr=subprocess.DEVNULL,
        )

    def ask(self, number):
        """Make one request; return the worker's pid, 0 when it failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/?{number}")
            return int(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def stop(self):
        """End it as its operator would."""
        self.process.terminate()
        self.process.wait(15)


def test_row_03_gunicorn_workers_preforked_and_killed(tmp_path, server):
    """Records of workers that are killed arrive through adoption, once each."""
    gunicorn = Gunicorn(tmp_path, server.url)
    answered = []
    try:
        wait_until(lambda: gunicorn.ask(999_999) > 0, 20)
        for number in range(400):
            pid = gunicorn.ask(number)
            if pid:
                answered.append(number)
            if number in (100, 250) and pid:
                os.kill(pid, SIGKILL)
    finally:
        gunicorn.stop()
    Writers(tmp_path, server.url).adopt()

    found = [row["attrs"]["n"] for row in server.rows("numbered logger=web")]
    counted = [n for n in found if n < 400]
    assert len(answered) > 350
    assert set(answered) <= set(counted)
    assert len(counted) == len(set(counted))
