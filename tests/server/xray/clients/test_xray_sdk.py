"""AWS's own X-Ray SDK, with only the daemon's address changed: segments, Flask, sampling."""

import json
import os
import subprocess
import sys
import time

import pytest

from clerestory.cli.env import placeholders, variables
from tests.server.xray.segments import spans_of, until
from tests.server.xray.test_rules import rule

pytest.importorskip("aws_xray_sdk")

# The program of the tracing seed: middleware, dynamic naming, metadata, a log line a response.
FLASK = """
import json, logging, watchtower
from flask import Flask, request
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.ext.flask.middleware import XRayMiddleware

app = Flask("backend-flask")
xray_recorder.configure(service="backend-flask", dynamic_naming="*shop.example*", sampling=False)
XRayMiddleware(app, xray_recorder)
logger = logging.getLogger("seed")
handler = watchtower.CloudWatchLogHandler(log_group_name="xray-seed", use_queues=False)
logger.addHandler(handler)

@app.after_request
def after_request(response):
    logger.error("%s %s %s", request.method, request.full_path, response.status)
    return response

@app.route("/api/activities/<name>")
def activities(name):
    with xray_recorder.in_subsegment("mock-data") as subsegment:
        subsegment.put_annotation("handle", name)
        subsegment.put_metadata("key", {"now": "today", "results-size": 1}, "namespace")
    if name == "broken":
        raise ValueError("no such handle")
    return {"handle": name}

told = {}
for name in ("andrew", "broken"):
    answer = app.test_client().get(f"/api/activities/{name}", base_url="http://shop.example")
    told[name] = [answer.status_code, answer.headers.get("X-Amzn-Trace-Id")]
print(json.dumps(told))
"""
STREAMED = """
from aws_xray_sdk.core import xray_recorder
xray_recorder.configure(sampling=False)
segment = xray_recorder.begin_segment("streamer")
for number in range(120):
    with xray_recorder.in_subsegment(f"part {number}"):
        pass
xray_recorder.end_segment()
print(segment.trace_id)
"""
SAMPLED = """
import json, time
from aws_xray_sdk.core.context import Context
from aws_xray_sdk.core.daemon_config import DaemonConfig
from aws_xray_sdk.core.sampling.sampler import DefaultSampler

sampler = DefaultSampler()
sampler.load_settings(DaemonConfig(), Context())
sampler.start()
deadline = time.monotonic() + 20
while not sampler._cache.rules:
    assert time.monotonic() < deadline
    time.sleep(0.02)
asked = {"service": "sampled-service", "method": "GET", "path": "/", "host": "h"}
started = time.monotonic()
sampled = sum(bool(sampler.should_trace(asked)) for _ in range(1000))
seconds = time.monotonic() - started
(rule,) = [one for one in sampler._cache.rules if one.name == "sampled"]
sampler._target_poller._do_work()
print(json.dumps([sampled, seconds, rule.reservoir.quota, rule.reservoir.TTL]))
"""


@pytest.fixture(scope="module")
def run(server):
    """Run a program with what `clerestory env` prints; return what it printed last."""
    daemon = server.get("/api/v1/status")["xray_address"]
    bare = {"PATH": os.environ["PATH"]}
    environment = bare | variables(server.url, xray=daemon) | placeholders(bare)

    def run_program(text):
        done = subprocess.run(
            [sys.executable, "-c", text],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return run_program


def test_the_flask_program_of_the_seed_is_traced(server, run):
    """Its request, its metadata, its exception and its log lines are here."""
    told = json.loads(run(FLASK))
    root = told["andrew"][1].partition("Root=")[2].partition(";")[0]
    broken = told["broken"][1].partition("Root=")[2].partition(";")[0]

    request, part = until(lambda: list(spans_of(server, root).values()))
    failed = next(iter(until(lambda: spans_of(server, broken)).values()))

    assert [told["andrew"][0], told["broken"][0]] == [200, 500]
    assert (request["name"], request["kind"]) == ("shop.example", "server")
    assert request["attrs"]["http.response.status_code"] == 200
    assert request["attrs"]["url.full"] == "http://shop.example/api/activities/andrew"
    assert part["parent_span_id"] == request["span_id"]
    assert part["attrs"]["annotation.handle"] == "andrew"
    assert part["attrs"]["aws.xray.metadata.namespace"] == {
        "key": {"now": "today", "results-size": 1}
    }
    assert failed["status"] == "error"
    (event,) = failed["events"]
    assert event["attrs"]["exception.message"] == "no such handle"
    rows = server.rows('service:"xray-seed" andrew')
    assert [row["message"] for row in rows] == ["GET /api/activities/andrew? 200 OK"]


def test_a_segment_that_is_streamed_in_parts_is_whole(server, run):
    """The SDK sends the parts of a long segment before the segment, and alone."""
    trace = run(STREAMED)

    spans = until(lambda: len(found := spans_of(server, trace)) == 121 and found)

    assert {one["service"] for one in spans.values()} == {"streamer"}
    assert {one["depth"] for one in spans.values()} == {0, 1}


def test_the_central_sampler_keeps_to_a_rule(xray, run):
    """One borrowed a second and a tenth of the rest; then the quota of the reservoir."""
    xray.create_sampling_rule(
        SamplingRule=rule("sampled", ServiceName="sampled-service", Priority=1)
    )

    sampled, seconds, quota, ends = json.loads(run(SAMPLED))

    summaries = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    (counted,) = [one for one in summaries if one["RuleName"] == "sampled"]
    xray.delete_sampling_rule(RuleName="sampled")
    # five standard deviations of 1,000 draws at 0.1
    assert 52 <= sampled <= 148 + 1 + seconds
    assert quota == 5
    assert 10 < ends - time.time() < 21
    assert (counted["RequestCount"], counted["SampledCount"]) == (
        1000,
        sampled - counted["BorrowCount"],
    )
    assert counted["BorrowCount"] >= 1
