"""Agents that ship other processes' spools, and what becomes of refused records."""

import os
import subprocess
import sys

import msgspec

from clerestory.configuration.destinations import routes_of
from clerestory.delivery.adoption import Adopter
from clerestory.delivery.policy import Route
from clerestory.settings import load
from clerestory.spool.letters import DeadLetter, DeadLetters
from tests.contracts.case import wait_until
from tests.delivery.takers import Taker, line, put
from tests.support.server import SOURCE


def test_an_agent_ships_what_a_living_process_has(tmp_path, road):
    """While the process lives, and without its help; the spool is retired behind the agent."""
    pipeline = road(Taker(), ships=False)
    shipped = Taker()
    agent = Adopter(tmp_path, [Route(destination=shipped)], ships_living=True)

    for start in range(0, 3000, 500):
        put(pipeline, *(line(n, pad="x" * 100) for n in range(start, start + 500)))
        wait_until(lambda at=start: agent.run_once() == 0 and len(shipped.taken) == at + 500)

    assert shipped.taken == list(range(3000))
    wait_until(lambda: pipeline.spool.backlog_bytes == 0)
    wait_until(lambda: len(pipeline.spool.segments) <= 2)
    agent.close()


def test_only_one_agent_ships_a_spool(tmp_path, road):
    """A second one waits until the first is gone."""
    pipeline = road(Taker(), ships=False)
    put(pipeline, *(line(n) for n in range(10)))
    first, second = Taker(), Taker()
    agents = [
        Adopter(tmp_path, [Route(destination=taker)], ships_living=True)
        for taker in (first, second)
    ]

    assert [agent.run_once() for agent in agents] == [10, 0]
    agents[0].close()
    put(pipeline, line(10))

    assert agents[1].run_once() == 1
    assert second.taken == [10]
    agents[1].close()


def test_an_agent_finishes_and_removes_the_spool_of_a_process_that_ends(tmp_path, road):
    """As it does with one that was killed."""
    pipeline = road(Taker(), ships=False)
    agent = Adopter(tmp_path, [Route(destination=(shipped := Taker()))], ships_living=True)
    put(pipeline, *(line(n) for n in range(10)))
    agent.run_once()
    put(pipeline, *(line(n) for n in range(10, 20)))
    folder = pipeline.spool.path

    assert not pipeline.close(0.1)
    wait_until(lambda: agent.run_once() == 0 and not folder.exists())

    assert shipped.taken == list(range(20))
    agent.close()


def test_programs_that_leave_delivery_to_an_agent_lose_nothing_to_kills(tmp_path):
    """The whole way: real programs, killed and ended, and the real command."""
    out = tmp_path / "out.jsonl"
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_DESTINATIONS": f"file:{out}",
        "CLERESTORY_DELIVERY_BY": "agent",
    }
    program = (
        "import os, sys, clerestory\n"
        "log = clerestory.get_logger('a')\n"
        "for n in range(500): log.info('numbered', n=n, who=sys.argv[1])\n"
        "os.kill(os.getpid(), 9) if sys.argv[2] == 'kill' else None\n"
    )
    command = [sys.executable, "-c", "from clerestory.cli import main; main()", "agent"]
    agent = subprocess.Popen(command, env=environment)
    try:
        for who, end in (("one", "kill"), ("two", "exit"), ("three", "kill")):
            subprocess.run([sys.executable, "-c", program, who, end], env=environment, check=False)

        def found():
            lines = out.read_bytes().splitlines() if out.exists() else []
            records = [msgspec.json.decode(one) for one in lines]
            return sorted((r["who"], r["n"]) for r in records if r["message"] == "numbered")

        expected = sorted((who, n) for who in ("one", "two", "three") for n in range(500))
        wait_until(lambda: len(found()) >= len(expected))
        assert found() == expected
    finally:
        agent.terminate()
        assert agent.wait(10) == 0


def test_letters_are_listed_sent_again_and_removed(tmp_path):
    """What was mended at the receiver needs no new program run."""
    out = tmp_path / "out.jsonl"
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_DESTINATIONS": f"file:{out}",
    }
    [route] = routes_of(load({}), [f"file:{out}"])
    name = route.destination.name
    record = line(7).rstrip(b"\n")
    DeadLetters(tmp_path / "spool", name).add(
        [DeadLetter(record_id="a:1", destination=name, reason="no", resource={}, line=record)]
    )

    def letters(*arguments):
        command = [sys.executable, "-c", "from clerestory.cli import main; main()", "letters"]
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, listed = letters("list")
    resent = letters("resend", name)
    left = letters("list")

    assert code == 0
    assert name in listed
    assert '"n":7' in listed
    assert resent == (0, "sent 1, kept 0\n")
    assert left == (0, "no dead letters\n")
    assert b'"n":7' in out.read_bytes()
    assert letters("resend", "nowhere")[0] == 1
