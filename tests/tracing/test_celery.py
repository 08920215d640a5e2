"""A task belongs to the request that sent it, in whichever process it runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.case import wait_until

PROGRAM = Path(__file__).with_name("celery_tasks.py")
SOURCE = Path(__file__).parents[2] / "src"
LAST = {
    *("log in worker", "log in outside", "log in task of a task", "attempt 1"),
    *("span in worker", "span in outside", "span in task of a task"),
}


def records_in(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Send tasks to a real worker with a pool of processes; return outer span and records."""
    folder = tmp_path_factory.mktemp("celery")
    file = folder / "out.jsonl"
    destination = {"type": "file", "path": str(file), "kinds": ["log", "span"]}
    (folder / "clerestory.yaml").write_text(json.dumps({"destinations": [destination]}))
    environ = {
        **os.environ,
        "CLERESTORY_SPOOL_DIRECTORY": str(folder / "spool"),
        "CLERESTORY_AUTOSTART": "1",
        "PYTHONPATH": os.pathsep.join(
            [str(SOURCE / "clerestory/autostart"), str(SOURCE), str(PROGRAM.parent)]
        ),
        "TASKS_FOLDER": str(folder),
    }
    sent = subprocess.run(
        [sys.executable, PROGRAM], cwd=folder, env=environ, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    command = ["celery", "-A", "celery_tasks", "worker", "--concurrency", "2", "--without-mingle"]
    with (folder / "worker.log").open("w") as told:
        worker = subprocess.Popen(
            [sys.executable, "-m", *command, "--without-gossip"],
            cwd=folder, env=environ, stdout=told, stderr=told,
        )  # fmt: skip
    try:
        wait_until(
            lambda: (
                {one["message"] for one in records_in(file)} >= LAST
                and sum(one["message"] == "run celery_tasks.fail" for one in records_in(file)) == 2
            ),
            60,
        )
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait(10)
    return json.loads(sent.stdout.splitlines()[-1]), records_in(file)


def find(records, message):
    (found,) = [one for one in records if one["message"] == message]
    return found


@pytest.mark.parametrize("way", ["worker", "eager", "task of a task"])
@pytest.mark.parametrize("what", ["log", "plain", "span"])
def test_every_record_of_a_task_belongs_to_its_sender(ran, what, way):
    """Our log, the standard library's, a span: the same trace and fields."""
    outer, records = ran
    record = find(records, f"{what} in {way}")

    assert (record["trace_id"], record["user"]) == (outer["trace_id"], "u1")
    assert record["tags"] == ["a", 1]


def test_a_task_is_a_span_below_the_one_that_sent_it(ran):
    """With the name of the task, and who has it in the queue."""
    outer, records = ran
    inner = find(records, "span in worker")
    (task,) = [one for one in records if one.get("span_id") == inner["parent_span_id"]
               and one.get("kind") == "span"]  # fmt: skip

    assert task["message"] == "run celery_tasks.work"
    assert (task["span.kind"], task["parent_span_id"]) == ("consumer", outer["span_id"])
    assert task["messaging.system"] == "celery"
    assert task["messaging.destination.name"] == "celery"
    assert task["celery.task_name"] == "celery_tasks.work"
    assert task["celery.state"] == "SUCCESS"


def test_a_task_that_is_sent_outside_begins_a_trace_of_its_own(ran):
    """A worker remembers no task before it."""
    outer, records = ran
    record = find(records, "log in outside")

    assert record["trace_id"] != outer["trace_id"]
    assert "user" not in record


def test_a_retry_stays_in_the_trace(ran):
    """It is sent by the worker."""
    outer, records = ran

    assert find(records, "attempt 1")["trace_id"] == outer["trace_id"]


def test_a_failure_marks_the_span_and_is_logged_once(ran):
    """By Celery, or by the innermost span that it left."""
    outer, records = ran
    tasks = [one for one in records if one["message"] == "run celery_tasks.fail"]
    told = [one for one in records if one.get("exception.type") == "LookupError"]

    assert [one["span.status"] for one in tasks] == ["error", "error"]
    assert {one["error.type"] for one in tasks} == {"LookupError"}
    assert {one["trace_id"] for one in [*tasks, *told]} == {outer["trace_id"]}
    assert sorted(one["logger"] for one in told) == ["celery.app.trace", "celery_tasks"]


def test_a_header_that_is_not_ours_is_passed_over():
    """Anybody may write into a queue."""
    from clerestory.integrations import celery

    for text in (None, 7, "", "{", "[1]", "x" * 9000):
        assert celery._fields(text) == {}


def test_what_does_not_travel_keeps_no_task_from_being_sent():
    """Too large, or not to be written down: the ids alone go."""
    from clerestory import request_context, span
    from clerestory.integrations import celery
    from clerestory.testing import capture

    with capture(), request_context(page="x" * 9000), span("outer") as outer:
        headers: dict[str, str] = {}
        celery._send(headers=headers)
        celery._send(headers=None)

    assert outer.trace_id in headers["traceparent"]
    assert celery.HEADER not in headers
