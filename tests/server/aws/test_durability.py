"""What stays over a restart, what retention takes, and what a deletion leaves: nothing."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.aws.conftest import DAY_MS, client, found, now_ms, put
from tests.support.server import SOURCE, ServerProcess

OLD_STORE = """
import sys
from pathlib import Path
from chdb.session import Session
from clerestory.server.store import schema

path = Path(sys.argv[1]) / "store"
path.mkdir(parents=True)
session = Session(str(path))
session.query("CREATE DATABASE clerestory ENGINE = Atomic")
session.query("USE clerestory")
session.query(schema._LOGS)
session.query(
    "INSERT INTO logs (ts, level, severity, service, message, spool, seq) "
    "VALUES (now64(9), 'INFO', 20, 'old', 'from before', 'ab', 1)"
)
session.close()
"""
UNFINISHED = """
import sys
from pathlib import Path
from clerestory.server.aws.catalog.catalog import Catalog

catalog = Catalog(Path(sys.argv[1]))
catalog.remove_group("g")
catalog.close()
"""


def run(script, directory):
    """Run a script on a data directory, in a process of its own."""
    subprocess.run([sys.executable, "-c", script, str(directory)], cwd=SOURCE, check=True)


def until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_directory_of_an_earlier_release_is_taken_over(tmp_path):
    """The new columns are added to a table that has records."""
    run(OLD_STORE, tmp_path)

    with ServerProcess(tmp_path) as server:
        logs = client(server.url)
        (event,) = logs.filter_log_events(logGroupName="/clerestory/old")["events"]
        assert '"message":"from before"' in event["message"]
        assert abs(event["ingestionTime"] - event["timestamp"]) < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_that_was_acknowledged_is_there_after_a_restart(tmp_path, number):
    """A token given before goes on after, even over a kill."""
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "$.ms"}
    server = ServerProcess(tmp_path).start()
    logs = client(server.url)
    logs.create_log_group(logGroupName="g", tags={"a": "b"}, logGroupClass="INFREQUENT_ACCESS")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    logs.put_metric_filter(
        logGroupName="g", filterName="f", filterPattern="{ $.ms > 1 }",
        metricTransformations=[transformation],
    )  # fmt: skip
    saved = logs.put_query_definition(name="q", queryString="fields @message")["queryDefinitionId"]
    put(logs, "g", '{"ms": 1}', '{"ms": 2}', '{"ms": 3}')
    page = logs.filter_log_events(logGroupName="g", limit=1)
    until(lambda: server.get("/api/v1/metric-filters")["filters"][0]["matched"] == 2)
    before = [
        logs.describe_log_groups()["logGroups"],
        logs.describe_metric_filters()["metricFilters"],
    ]
    server.stop(number)

    server = ServerProcess(tmp_path).start()
    try:
        logs = client(server.url)
        after = [
            logs.describe_log_groups()["logGroups"],
            logs.describe_metric_filters()["metricFilters"],
        ]
        assert after == before
        assert found(logs, "g") == ['{"ms": 1}', '{"ms": 2}', '{"ms": 3}']
        assert (
            logs.describe_query_definitions()["queryDefinitions"][0]["queryDefinitionId"] == saved
        )
        (counted,) = server.get("/api/v1/metric-filters")["filters"]
        assert (counted["matched"], counted["sum"]) == (2, 5.0)
        rest = logs.filter_log_events(logGroupName="g", limit=1, nextToken=page["nextToken"])
        assert [event["message"] for event in rest["events"]] == ['{"ms": 2}']
    finally:
        server.stop()


def test_retention_takes_what_is_too_old_and_nothing_else(logs, group):
    """AWS may take three days for it; here it is the next second."""
    put(logs, group, "old", at=now_ms() - 3 * DAY_MS)
    put(logs, group, "new")

    logs.put_retention_policy(logGroupName=group, retentionInDays=1)

    until(lambda: found(logs, group) == ["new"])


def test_events_past_the_retention_are_not_taken(logs, group):
    """They would be deleted a moment later, and the sender not know."""
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)

    answer = put(logs, group, "old", at=now_ms() - 2 * DAY_MS)

    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert found(logs, group) == []


def test_what_the_server_itself_would_delete_is_not_taken(tmp_path):
    """Else an event would be acknowledged and be gone ten minutes later."""
    with ServerProcess(tmp_path, "--retention-days", "3") as server:
        logs = client(server.url)
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")

        answer = put(logs, "g", "old", at=now_ms() - 4 * DAY_MS)

        assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


def test_nothing_that_is_put_while_a_group_is_deleted_survives_it(server, group):
    """A put is either before the deletion, and goes with it, or is refused."""
    ready = threading.Event()

    def putting() -> int:
        logs = client(server.url)
        for count in itertools.count():
            try:
                put(logs, group, *["x"] * 100)
            except logs.exceptions.ResourceNotFoundException:
                return count
            if count == 3:
                ready.set()
        return 0

    logs = client(server.url)
    with ThreadPoolExecutor(3) as pool:
        counts = [pool.submit(putting) for _ in range(3)]
        assert ready.wait(20)
        logs.delete_log_group(logGroupName=group)
        assert all(count.result(20) > 0 for count in counts)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    assert found(logs, group) == []
    assert server.rows(f'service:"{group}"') == []


def test_a_deleted_group_leaves_no_event_behind(server, logs, group):
    """A group that is made again begins empty, in the page as in the API."""
    put(logs, group, "secret one")
    logs.delete_log_group(logGroupName=group)

    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    assert found(logs, group) == []
    assert server.rows(f'service:"{group}"') == []


def test_a_deleted_stream_leaves_the_others_alone(logs, group):
    """The condition of a deletion is the one that must not be too wide."""
    logs.create_log_stream(logGroupName=group, logStreamName="t")
    put(logs, group, "stays")
    put(logs, group, "goes", stream="t")

    logs.delete_log_stream(logGroupName=group, logStreamName="t")

    assert found(logs, group) == ["stays"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName=group, logStreamName="t")


def test_a_deletion_that_a_kill_interrupted_is_finished_at_the_next_start(tmp_path):
    """The note was on disk, the events still in the store."""
    with ServerProcess(tmp_path) as server:
        logs = client(server.url)
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        put(logs, "g", "goes")
    run(UNFINISHED, tmp_path)

    with ServerProcess(tmp_path) as server:
        assert server.rows("service:g") == []
