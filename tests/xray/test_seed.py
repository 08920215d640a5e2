"""A Flask program as AWS's tutorials have it: with AWS's SDK, and with ours in its place."""

import json
import time

import pytest

from tests.server.xray.segments import until

pytest.importorskip("aws_xray_sdk")

THEIRS = """
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.ext.flask.middleware import XRayMiddleware
"""
OURS = """
from clerestory.xray import xray_recorder, XRayMiddleware
"""
PROGRAM = """
import json, logging, os, time
from datetime import datetime, timedelta, timezone
from flask import Flask, request, render_template_string

app = Flask("backend-flask")
xray_url = os.getenv("AWS_XRAY_URL")
xray_recorder.configure(service='backend-flask', dynamic_naming=xray_url, sampling=False)
XRayMiddleware(app, xray_recorder)
logger = logging.getLogger("seed")

class HomeActivities:
  def run():
    with xray_recorder.in_subsegment('mock-data') as subsegment:
      dict = {"now": "2026-11-22T10:00:00+00:00", "results-size": 1}
      subsegment.put_metadata('key', dict, 'namespace')
      xray_recorder.put_annotation('handle', 'andrew')
      with xray_recorder.in_subsegment('inner', namespace='remote') as inner:
        inner.put_http_meta('url', 'http://other.example/x')
        inner.put_http_meta('status', 429)
    return [{'handle': 'Andrew Brown'}]

class UserActivities:
  def run(user_handle):
    segment = xray_recorder.begin_segment('user_activities')
    model = {'errors': None, 'data': None}
    now = datetime.now()
    model['data'] = [{'handle': user_handle}]
    subsegment = xray_recorder.begin_subsegment('mock-data')
    dict = {"now": now.isoformat(), "results-size": len(model['data'])}
    subsegment.put_metadata('key', dict, 'namespace')
    return model

@xray_recorder.capture('activities_show')
def show(fails):
    if fails:
        raise ValueError("no such activity")

@app.route("/api/activities/home")
def home():
    xray_recorder.current_segment().set_user('andrew')
    logging.getLogger("seed").warning("at home")
    return HomeActivities.run()

@app.route("/api/activities/broken")
def broken():
    show(True)

@app.route("/api/activities/page")
def page():
    return render_template_string("<b>{{ 1 }}</b>")

@app.route("/api/activities/@<handle>")
def user(handle):
    return UserActivities.run(handle)

client = app.test_client()
told = {}
for name, path, headers in (
    ("home", "/api/activities/home?page=2", {"X-Forwarded-For": "203.0.113.7"}),
    ("named", "/api/activities/home", {"Host": "4567-me.ws-eu.gitpod.io"}),
    ("broken", "/api/activities/broken", {}),
    ("page", "/api/activities/page", {}),
    ("lost", "/api/activities/none", {}),
    ("called", "/api/activities/home", {"X-Amzn-Trace-Id":
        f"Root=1-{int(time.time()):08x}-0123456789abcdef{os.urandom(4).hex()};Parent=53995c3f42cd8ad8;Sampled=?"}),
    ("left out", "/api/activities/home", {"X-Amzn-Trace-Id": "Sampled=0"}),
    ("seed", "/api/activities/@andrew", {}),
):
    answer = client.get(path, headers=headers)
    told[name] = [answer.status_code, answer.headers.get("X-Amzn-Trace-Id")]
print(json.dumps(told))
"""
NAMING = "*4567-me.ws-eu.gitpod.io*"
GOOD = ("home", "named", "broken", "lost", "called")


def root_of(header):
    return header.partition("Root=")[2].partition(";")[0]


def documents_of(xray, trace):
    found = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    return [json.loads(one["Document"]) for trace in found for one in trace["Segments"]]


def bare_cause(cause):
    """Return a cause without ids, and of frames the innermost, which are the program's own."""
    if isinstance(cause, str):
        return "id"
    return [
        {key: value for key, value in one.items() if key not in ("id", "stack")}
        | {"stack": [(frame["path"], frame["label"]) for frame in one["stack"][-6:]]}
        for one in cause["exceptions"]
    ]


def bare(document):
    """Return a document without ids, times, the SDK's name, and what its place says already."""
    left_out = {"id", "trace_id", "parent_id", "start_time", "end_time", "in_progress", "type"}
    kept = {key: value for key, value in document.items() if key not in left_out}
    aws = {key: value for key, value in kept.get("aws", {}).items() if key != "xray"}
    kept.pop("aws", None)
    kept |= {"aws": aws} if aws else {}
    if "cause" in kept:
        kept["cause"] = bare_cause(kept["cause"])
    parts = sorted(kept.pop("subsegments", ()), key=lambda one: one["start_time"])
    return kept | ({"subsegments": [bare(one) for one in parts]} if parts else {})


@pytest.fixture(scope="module")
def theirs(run):
    return json.loads(run(THEIRS + PROGRAM, AWS_XRAY_URL=NAMING))


@pytest.fixture(scope="module")
def ours(run):
    return json.loads(run(OURS + PROGRAM, AWS_XRAY_URL=NAMING))


def test_the_program_with_awss_sdk_is_seen_within_two_seconds(server, xray, theirs):
    """Segments, subsegments and metadata: by X-Ray's API and by ours."""
    started = time.monotonic()
    trace = root_of(theirs["home"][1])

    (document,) = until(lambda: documents_of(xray, trace))
    spans = until(lambda: server.get(f"/api/v1/traces/{trace}")["spans"])

    assert time.monotonic() - started < 2
    (part,) = document["subsegments"]
    assert (document["name"], part["name"]) == ("backend-flask", "mock-data")
    assert part["metadata"]["namespace"]["key"]["results-size"] == 1
    assert {one["name"] for one in spans} == {"backend-flask", "mock-data", "inner"}


@pytest.mark.parametrize("name", GOOD)
def test_with_ours_in_its_place_the_document_is_the_same(xray, theirs, ours, name):
    """Only ids, times and the SDK's name differ."""
    (told,) = until(lambda: documents_of(xray, root_of(theirs[name][1])))
    (found,) = until(lambda: documents_of(xray, root_of(ours[name][1])))

    assert bare(found) == bare(told)
    assert theirs[name][0] == ours[name][0]
    assert theirs[name][1].replace(root_of(theirs[name][1]), "") == ours[name][1].replace(
        root_of(ours[name][1]), ""
    )


def test_a_template_is_a_subsegment_of_its_own(xray, ours):
    """AWS's SDK names it after the application, since Flask changed the order of arguments."""
    (document,) = until(lambda: documents_of(xray, root_of(ours["page"][1])))

    assert [one["name"] for one in document["subsegments"]] == ["template_render"]


def test_a_segment_is_named_by_its_host_only_where_the_pattern_says(xray, ours):
    """AWS_XRAY_URL of the program's environment is the pattern."""
    names = {
        name: until(lambda name=name: documents_of(xray, root_of(ours[name][1])))[0]["name"]
        for name in ("home", "named")
    }

    assert names == {"home": "backend-flask", "named": "4567-me.ws-eu.gitpod.io"}


def test_the_trace_of_the_caller_goes_on(xray, ours):
    """Root and parent of the header are those of the segment, and the decision is told back."""
    trace = root_of(ours["called"][1])

    (document,) = until(lambda: documents_of(xray, trace))

    assert "-0123456789abcdef" in trace
    assert document["parent_id"] == "53995c3f42cd8ad8"
    assert ours["called"][1].endswith(";Sampled=1")


def test_log_lines_carry_the_segment_s_ids(server, ours):
    """One server span a request, and the records beside it."""
    trace = root_of(ours["home"][1])

    rows = until(lambda: server.rows(f'trace_id:{trace.replace("-", "")[1:]} "at home"'))
    spans = server.get(f"/api/v1/traces/{trace}")["spans"]

    assert [row["message"] for row in rows] == ["at home"]
    assert [one["name"] for one in spans if one["kind"] == "server"] == ["backend-flask"]


def test_what_the_caller_leaves_out_is_left_out(xray, ours):
    """`Sampled=0` is obeyed; the answer names the trace all the same."""
    assert ours["left out"][0] == 200
    assert documents_of(xray, root_of(ours["left out"][1])) == []


def test_a_segment_inside_a_request_that_nobody_ends_is_kept(xray, theirs, ours):
    """AWS's SDK sends nothing of such a request; the metadata is what the program was for."""
    assert (theirs["seed"][0], ours["seed"][0]) == (200, 200)
    trace = root_of(ours["seed"][1])

    found = until(lambda: len(told := documents_of(xray, trace)) == 2 and told)
    by_name = {one["name"]: one for one in found}

    assert documents_of(xray, root_of(theirs["seed"][1])) == []
    assert by_name["user_activities"]["parent_id"] == by_name["backend-flask"]["id"]
    (part,) = by_name["user_activities"]["subsegments"]
    assert part["metadata"]["namespace"]["key"]["results-size"] == 1
    assert by_name["backend-flask"]["http"]["response"]["status"] == 200
