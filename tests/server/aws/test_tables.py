"""The tables that the server reads, beside the service model of the installed botocore."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clerestory.server.aws.operations.table import ANSWERS
from clerestory.server.aws.protocol.shapes import TABLES

ROOT = Path(__file__).parents[3]


def test_the_committed_tables_are_those_of_the_installed_botocore():
    """A new botocore with a new rule shows here, not at a user's."""
    pytest.importorskip("botocore")
    script = (
        "import runpy; made = runpy.run_path('tools/aws_tables.py'); "
        "print(all(path.read_text(encoding='utf-8') == text "
        "for path, text in made['texts']().items()))"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "True", "run: python tools/aws_tables.py"


def test_every_operation_of_the_tables_is_answered():
    """A table without an answer would be a 500."""
    answered = {*ANSWERS, "PutLogEvents", "StartLiveTail"}

    assert answered == set(TABLES["operations"])
    assert len(answered) == 32


def test_the_server_runs_without_botocore():
    """The tables are committed so that a server needs 31 MB less."""
    script = (
        "import sys; import clerestory.server.app; "
        "print([name for name in sys.modules if name.startswith('boto')])"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


def test_an_operation_that_is_not_there_is_named_in_the_error(server):
    """It never succeeds silently."""
    for operation in TABLES["others"]:
        status, body, headers = server.call(
            "POST", "/", b"{}", {"X-Amz-Target": f"Logs_20140328.{operation}"}
        )

        told = json.loads(body)
        assert (status, told["__type"]) == (404, "UnknownOperationException")
        assert operation in told["message"]
        assert headers["x-amzn-errortype"] == "UnknownOperationException"
        assert len(headers["x-amzn-requestid"]) == 36


def test_a_request_without_a_target_says_which_header_is_missing(server):
    """A curl at the wrong address should tell its user."""
    status, body, _ = server.call("POST", "/", b"{}")

    assert status == 404
    assert "X-Amz-Target" in json.loads(body)["message"]


def test_the_host_of_a_live_tail_is_served(server):
    """The SDKs put `stream-` before the host of the server."""
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}

    assert server.call("POST", "/", b"{}", headers | {"Host": "stream-127.0.0.1:1"})[0] == 200
    assert server.call("POST", "/", b"{}", headers | {"Host": "other-127.0.0.1:1"})[0] == 403


def test_the_page_is_still_at_the_root(server):
    """The API and the page share an address; the method tells them apart."""
    status, body, _ = server.call("GET", "/")

    assert status == 200
    assert b"<!doctype html>" in body.lower() or b"<html" in body.lower()
