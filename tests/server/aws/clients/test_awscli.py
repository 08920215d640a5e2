"""The commands of the documentation, run by the aws cli with only the environment changed."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from clerestory.cli.env import placeholders, variables

AWS = Path(sys.executable).with_name("aws")
pytestmark = pytest.mark.skipif(not AWS.exists(), reason="the aws cli is not installed")


@pytest.fixture(scope="module")
def environment(server, tmp_path_factory):
    """What `clerestory env` prints, and nothing of the user's."""
    home = tmp_path_factory.mktemp("home")
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_PAGER": ""}
    return bare | variables(server.url) | placeholders(bare)


@pytest.fixture(scope="module")
def shell(environment):
    """Run `aws logs ...` with what `clerestory env` prints; return exit code, answer, errors."""

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [AWS, "logs", *arguments, "--output", "json"],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    return run


def ok(shell, *arguments):
    code, answer, errors = shell(*arguments)
    assert code == 0, errors
    return answer


def test_the_commands_of_the_tracing_seed_work(shell):
    """A group, its retention, a stream, an event, and what is asked of them."""
    group, place = ("--log-group-name", "Cruddur"), ("--log-stream-name", "s")
    now = time.time_ns() // 1_000_000
    text = json.dumps(
        {"level": "ERROR", "user_id": "user123", "path": "/a", "response_time_ms": 12}
    )
    ok(shell, "create-log-group", *group)
    code, _, errors = shell("create-log-group", *group)
    assert code in (254, 255)
    assert "ResourceAlreadyExistsException" in errors
    ok(shell, "put-retention-policy", *group, "--retention-in-days", "7")
    ok(shell, "create-log-stream", *group, *place)
    ok(shell, "put-log-events", *group, *place, "--log-events", f"timestamp={now},message='{text}'")

    pattern = '{ $.level = "ERROR" && $.response_time_ms > 10 }'
    assert len(ok(shell, "filter-log-events", *group, "--filter-pattern", pattern)["events"]) == 1

    bounds = ("--start-time", str(now // 1000 - 3600), "--end-time", str(now // 1000 + 1))
    query = (
        'fields @timestamp, response_time_ms | filter level = "ERROR" | stats count() as n, '
        "avg(response_time_ms), pct(response_time_ms,99) by path, bin(5m)"
    )
    started = ok(shell, "start-query", *group, *bounds, "--query-string", query)["queryId"]
    deadline = time.monotonic() + 20
    while (found := ok(shell, "get-query-results", "--query-id", started))["status"] != "Complete":
        assert time.monotonic() < deadline
    assert {"field": "n", "value": "1"} in found["results"][0]

    code, _, errors = shell("start-query", *group, *bounds, "--query-string", "this is not a query")
    assert code in (254, 255)
    assert "MalformedQueryException" in errors


def test_a_pattern_of_fields_is_tried_out(shell):
    """The pattern of the documentation, with the quoting that a shell needs."""
    line = '1.2.3.4 bob [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 404 5'

    answer = ok(
        shell, "test-metric-filter", "--filter-pattern", "[ip, user, ts, req, status=4*, bytes]",
        "--log-event-messages", line,
    )  # fmt: skip

    assert answer["matches"][0]["extractedValues"]["$status"] == "404"


def test_a_live_tail_prints_what_is_put(environment, logs, group):
    """The cli asks for it at another host unless the environment forbids it."""
    from tests.server.aws.conftest import put

    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    tail = subprocess.Popen(
        [AWS, "logs", "start-live-tail", "--log-group-identifiers", arn],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    stop = threading.Event()
    assert tail.stdout

    def putting():
        while not stop.wait(0.3):
            put(logs, group, "seen by the tail")

    thread = threading.Thread(target=putting)
    thread.start()
    try:
        line = next((line for line in tail.stdout if "seen by the tail" in line), "")
    finally:
        stop.set()
        thread.join()
        tail.kill()
        tail.wait()
        tail.stdout.close()

    assert "seen by the tail" in line


def test_an_operation_that_is_not_there_says_so(shell):
    """Who reads the cli's error must see that it is ours, not AWS's."""
    code, _, errors = shell("describe-export-tasks")

    assert code in (254, 255)
    assert (
        "DescribeExportTasks is an operation of CloudWatch Logs that this server does not" in errors
    )
