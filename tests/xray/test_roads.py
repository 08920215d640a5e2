"""Where segments go, and what else is in the program: middleware, instrumentations, other roads."""

import json
import subprocess
import sys
import time

import pytest

from clerestory.integrations.xray import patching
from clerestory.model.errors import ConfigurationError
from tests.server.xray.segments import until
from tests.xray.test_seed import documents_of, root_of

REQUEST = """
import json
import clerestory
from flask import Flask
from clerestory.xray import xray_recorder, XRayMiddleware

clerestory.configure()
app = Flask("shop")
xray_recorder.configure(service="shop", sampling=False)
XRayMiddleware(app, xray_recorder)

@app.get("/x")
def x():
    with xray_recorder.in_subsegment("part"):
        return "x"

answer = app.test_client().get("/x")
answer.close()
clerestory.shutdown()
print(json.dumps(answer.headers["X-Amzn-Trace-Id"]))
"""


@pytest.mark.parametrize("scheme", ["xray://us-east-1", "xray+daemon:", "server"])
def test_segments_arrive_by_every_road(xray, run, scheme):
    """Signed by PutTraceSegments, by UDP to a daemon, and as our own records."""
    trace = root_of(json.loads(run(REQUEST, CLERESTORY_DESTINATIONS=scheme)))

    found = until(lambda: len(told := documents_of(xray, trace)) and told)

    def names(document):
        return [
            document["name"],
            *(n for one in document.get("subsegments", ()) for n in names(one)),
        ]

    until(
        lambda: (
            sorted(n for one in documents_of(xray, trace) for n in names(one)) == ["part", "shop"]
        )
    )
    assert found


def test_the_middleware_and_ours_make_one_server_span(server, run):
    """The record of the request has the ids of the segment."""
    trace = root_of(
        json.loads(run(REQUEST, CLERESTORY_WEB_CAPTURE="true", OTEL_SERVICE_NAME="both"))
    )
    known = trace.replace("-", "")[1:]

    spans = until(lambda: server.get(f"/api/v1/traces/{known}").get("spans"))
    rows = until(lambda: server.rows(f"trace_id:{known} GET"))

    segment = next(one for one in spans if one["kind"] == "server")
    assert sorted(one["name"] for one in spans) == ["part", "shop"]
    assert [row["message"] for row in rows] == ["GET /x 200"]
    assert segment["attrs"]["http.response.status_code"] == 200


def test_a_call_by_requests_is_a_subsegment_that_sends_the_header(server, xray, run):
    """By OpenTelemetry's instrumentation, inside the segment."""
    pytest.importorskip("opentelemetry.instrumentation.requests")
    program = """
import http.server, threading
import clerestory, requests
from clerestory.xray import xray_recorder, patch

patch(("requests",))
told = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told.append(self.headers.get("X-Amzn-Trace-Id"))
        self.send_response(404); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
    thread = threading.Thread(target=httpd.serve_forever); thread.start()
    with xray_recorder.in_segment("caller", sampling=1):
        requests.get(f"http://127.0.0.1:{httpd.server_port}/x").close()
    httpd.shutdown(); thread.join()
clerestory.shutdown()
print(told[0])
"""
    header = run(program)

    (document,) = until(lambda: documents_of(xray, root_of(header)))
    (part,) = document["subsegments"]
    assert part["namespace"] == "remote"
    assert part["error"] is True
    assert part["http"]["response"]["status"] == 404
    assert f"Parent={part['id']}" in header
    assert header.endswith("Sampled=1")


def test_what_cannot_be_patched_is_an_error():
    """A patch that does nothing would be found out when the calls are missing."""
    with pytest.raises(ConfigurationError, match=r"xray_recorder\.capture"):
        patching.patch(("my_package",))
    with pytest.raises(ConfigurationError, match="pip install opentelemetry-instrumentation"):
        patching.patch(("pg8000",)) if "pg8000" in patching._OTEL else patching.patch(("pymongo",))
    patching.patch(("my_package",), raise_errors=False)


@pytest.mark.parametrize(
    ("settings", "timed"),
    [
        ({}, False),
        ({"CLERESTORY_TRACE_IDS": "xray"}, True),
        ({"OTEL_PYTHON_ID_GENERATOR": "xray"}, True),
        ({"CLERESTORY_DESTINATIONS": "xray+daemon://127.0.0.1:9"}, True),
        ({"CLERESTORY_DESTINATIONS": "xray://eu-west-1", "CLERESTORY_TRACE_IDS": "random"}, False),
    ],
)
def test_trace_ids_begin_with_the_time_where_x_ray_wants_it(run, settings, timed):
    """Else X-Ray would not take a trace that began in this program."""
    program = """
import clerestory
with clerestory.span("x") as one:
    pass
print(one.trace_id)
import os; os._exit(0)
"""
    program = program.replace("import os;", "import sys, os; sys.stdout.flush();")
    trace = run(program, **settings)

    assert (abs(int(trace[:8], 16) - time.time()) < 3600) == timed


def test_the_package_is_imported_without_flask_and_botocore():
    """A worker that only makes segments needs neither."""
    program = (
        "import sys; import clerestory.xray; "
        "print(sorted({'flask', 'botocore', 'boto3', 'wrapt', 'opentelemetry'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
