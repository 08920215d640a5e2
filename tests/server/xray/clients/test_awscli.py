"""The commands of the tracing seed, run by the aws cli with only the environment changed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clerestory.cli.env import placeholders, variables
from tests.server.xray.segments import new_trace, segment

AWS = Path(sys.executable).with_name("aws")
pytestmark = pytest.mark.skipif(not AWS.exists(), reason="the aws cli is not installed")
RULE = {
    "RuleName": "Cruddur", "ResourceARN": "*", "Priority": 9000, "FixedRate": 0.1,
    "ReservoirSize": 5, "ServiceName": "backend-flask", "ServiceType": "*", "Host": "*",
    "HTTPMethod": "*", "URLPath": "*", "Version": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shell(server, home):
    """Run `aws xray ...` with what `clerestory env` prints; return exit code, answer, errors."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_PAGER": ""}
    environment = bare | variables(server.url) | placeholders(bare)

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [AWS, "xray", *arguments, "--output", "json"],
            env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    return run


def ok(shell, *arguments):
    code, answer, errors = shell(*arguments)
    assert code == 0, errors
    return answer


def test_the_group_of_the_seed_is_made_listed_and_deleted(shell):
    """`aws xray create-group --group-name Cruddur --filter-expression ...`."""
    made = ok(
        shell, "create-group", "--group-name", "Cruddur",
        "--filter-expression", 'service("backend-flask")',
    )  # fmt: skip
    listed = ok(shell, "get-groups")["Groups"]
    ok(shell, "delete-group", "--group-name", "Cruddur")

    assert made["Group"] in listed
    assert made["Group"]["GroupARN"].startswith(
        "arn:aws:xray:us-east-1:000000000000:group/Cruddur/"
    )


def test_the_sampling_rule_of_the_seed_is_made_from_its_file(shell, home):
    """And changed and deleted; the file of a change has another top key, as on AWS."""
    (home / "xray.json").write_text(json.dumps({"SamplingRule": RULE}))

    made = ok(shell, "create-sampling-rule", "--cli-input-json", "file://xray.json")
    listed = ok(shell, "get-sampling-rules")["SamplingRuleRecords"]
    code, _, errors = shell("update-sampling-rule", "--cli-input-json", "file://xray.json")
    changed = ok(
        shell, "update-sampling-rule", "--sampling-rule-update", "RuleName=Cruddur,FixedRate=0.5"
    )
    ok(shell, "delete-sampling-rule", "--rule-name", "Cruddur")

    assert made["SamplingRuleRecord"]["SamplingRule"].items() >= RULE.items()
    assert made["SamplingRuleRecord"] in listed
    assert code != 0
    assert "SamplingRuleUpdate" in errors
    assert changed["SamplingRuleRecord"]["SamplingRule"]["FixedRate"] == 0.5


def test_segments_are_put_and_found_by_the_seed_s_commands(shell):
    """Put, summaries by expression, documents and graph."""
    trace = new_trace()
    document = json.dumps(segment(trace, "cli-flask", fault=True))
    now = int(time.time())
    bounds = ("--start-time", str(now - 3600), "--end-time", str(now + 1))

    put = ok(shell, "put-trace-segments", "--trace-segment-documents", document)
    expression = 'service("cli-flask") { fault } AND duration >= 0'
    found = ok(shell, "get-trace-summaries", *bounds, "--filter-expression", expression)
    traces = ok(shell, "batch-get-traces", "--trace-ids", trace)["Traces"]
    graph = ok(shell, "get-service-graph", *bounds)

    assert put == {"UnprocessedTraceSegments": []}
    assert [one["Id"] for one in found["TraceSummaries"]] == [trace]
    assert traces[0]["Segments"][0]["Document"] == document
    assert "cli-flask" in {one["Name"] for one in graph["Services"]}


def test_an_operation_that_is_not_there_says_so(shell):
    """Who reads the cli's error must see that it is ours, not AWS's."""
    code, _, errors = shell("get-indexing-rules")

    assert code in (254, 255)
    assert "GetIndexingRules is an operation of X-Ray that this server does not" in errors
