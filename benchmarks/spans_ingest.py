"""How fast the server takes spans in, and how fast traces and the service map are read.

    python benchmarks/spans_ingest.py --spans 1000000

Starts a server in a process of its own, sends OTLP requests in protobuf over six keep-alive
connections, then a tenth as many spans as our own lines, then asks. A trace has ten spans of four
services: web -> api -> (orders -> database, stock -> cache, queue); its times lie in the last
hour. One trace has a thousand spans. CPU is the server's alone; merges run all the time.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.ingest import FIXED64, Body, run
from tests.support.server import ServerProcess

PER_REQUEST = 5000
POOL = 40
HOUR_NS = 3600 * 10**9
LONG_TRACE = "ee" * 16
# service, name, kind, place of its parent
SHAPE = [
    ("web", "GET /checkout", 2, None),
    ("web", "POST api", 3, 0),
    ("api", "POST /orders", 2, 1),
    ("api", "validate", 1, 2),
    ("api", "call orders", 3, 2),
    ("orders", "PUT /order", 2, 4),
    ("orders", "INSERT orders", 3, 5),
    ("api", "call stock", 3, 2),
    ("stock", "GET /stock", 2, 7),
    ("stock", "GET cache", 3, 8),
]
PEERS = {
    "INSERT orders": {"db.system.name": "postgresql", "db.namespace": "shop"},
    "GET cache": {"db.system.name": "redis"},
}


def spans(chance, start_ns, step_ns, count):
    """Yield dictionaries of spans, ten a trace, in the order of time."""
    for index in range(count):
        place = index % len(SHAPE)
        if place == 0:
            trace = chance.randbytes(16)
            ids = [chance.randbytes(8) for _ in SHAPE]
        service, name, kind, parent = SHAPE[place]
        start = start_ns + index * step_ns
        attributes = {
            "http.request.method": "POST",
            "http.route": "/api/v1/orders/{id}",
            "user.id": f"u_{chance.randrange(50_000)}",
            "order": chance.randrange(10**6),
            **PEERS.get(name, {}),
        }
        yield {
            "service": service,
            "trace_id": trace,
            "span_id": ids[place],
            "parent": b"" if parent is None else ids[parent],
            "name": name,
            "kind": kind,
            "start": start,
            "end": start + int(chance.lognormvariate(16, 1)),
            "failed": chance.random() < 0.02,
            "attributes": attributes,
        }


def fill_value(target, value):
    if isinstance(value, int):
        target.int_value = value
    else:
        target.string_value = value


def otlp_body(group):
    """Return an export request with a resource for each service."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    for service in dict.fromkeys(one["service"] for one in group):
        resource = request.resource_spans.add()
        fill_value(resource.resource.attributes.add(key="service.name").value, service)
        scope = resource.scope_spans.add()
        scope.scope.name = "bench"
        for one in group:
            if one["service"] == service:
                span = scope.spans.add(
                    trace_id=one["trace_id"],
                    span_id=one["span_id"],
                    parent_span_id=one["parent"],
                    name=one["name"],
                    kind=one["kind"],
                    start_time_unix_nano=one["start"],
                    end_time_unix_nano=one["end"],
                )
                if one["failed"]:
                    span.status.code = 2
                for key, value in one["attributes"].items():
                    fill_value(span.attributes.add(key=key).value, value)
    return request.SerializeToString()


KINDS = ["", "internal", "server", "client", "producer", "consumer"]


def line_of(one):
    """Return a span as the SDK writes it."""
    line = {
        "timestamp": one["start"],
        "level": "ERROR" if one["failed"] else "INFO",
        "logger": "bench",
        "kind": "span",
        "message": one["name"],
        "trace_id": one["trace_id"].hex(),
        "span_id": one["span_id"].hex(),
        "parent_span_id": one["parent"].hex(),
        "span.kind": KINDS[one["kind"]],
        "duration_ns": one["end"] - one["start"],
        "span.status": "error" if one["failed"] else "unset",
        **one["attributes"],
    }
    if not line["parent_span_id"]:
        del line["parent_span_id"]
    return json.dumps(line, separators=(",", ":")).encode()


class Fresh(Body):
    """A request encoded once; each sending has ids and times of its own.

    Starts, ends and four bytes of every trace id are written anew, so that a span keeps its parent
    and no two requests share a trace.
    """

    def __init__(self, content, group):
        self.path, self.size = "/v1/traces", len(content)
        self.headers = {"Content-Type": "application/x-protobuf"}
        self._content = bytearray(content)
        self._times, self._ids = [], []
        for one in group:
            start = content.index(b"\x0a\x10" + one["trace_id"] + b"\x12\x08" + one["span_id"])
            self._ids.append(start + 2)
            self._times.append((content.index(FIXED64(one["start"]), start), one))

    def at(self, start_ns, step_ns):
        """Return the request with spans that begin `step_ns` apart, of traces of its own."""
        content = self._content.copy()
        number = (start_ns // (step_ns * PER_REQUEST)).to_bytes(8, "big")[-4:]
        for place in self._ids:
            content[place : place + 4] = number
        for index, (place, one) in enumerate(self._times):
            start = start_ns + index * step_ns
            end = start + one["end"] - one["start"]
            content[place : place + 8] = FIXED64(start)
            content[place + 9 : place + 17] = FIXED64(end)
        return self.path, self.headers, bytes(content)


def otlp_jobs(pool, requests, start_ns, step_ns):
    for index in range(requests):
        yield pool[index % len(pool)].at(start_ns + index * PER_REQUEST * step_ns, step_ns)


def line_jobs(chance, requests, start_ns, step_ns):
    headers = {"Content-Type": "application/x-ndjson"}
    for index in range(requests):
        start = start_ns + index * PER_REQUEST * step_ns
        group = spans(chance, start, step_ns, PER_REQUEST)
        yield "/v1/records", headers, b"\n".join(line_of(one) for one in group)


def long_trace(now_ns):
    """Return lines of one trace with a thousand spans."""
    chance = random.Random(3)
    lines = []
    for index, one in enumerate(spans(chance, now_ns - 60 * 10**9, 1000, 1000)):
        one["trace_id"] = bytes.fromhex(LONG_TRACE)
        one["span_id"] = index.to_bytes(8, "big")
        one["parent"] = (index // 3).to_bytes(8, "big") if index else b""
        lines.append(line_of(one))
    return b"\n".join(lines)


def ask(server):
    hour = {"from": "-2h", "to": "now"}
    asked = [
        ("newest 100 traces", "/api/v1/traces", {"limit": 100, **hour}),
        ("errors first", "/api/v1/traces", {"limit": 100, "sort": "errors", **hour}),
        ("slowest", "/api/v1/traces", {"limit": 100, "sort": "slowest", **hour}),
        ("q duration>100ms", "/api/v1/traces", {"q": "duration>100ms", **hour}),
        ("q attribute", "/api/v1/traces", {"q": "user.id=u_4242", **hour}),
        ("one trace", f"/api/v1/traces/{LONG_TRACE}", {}),
        ("heat map", "/api/v1/traces/histogram", hour),
        ("service map", "/api/v1/services/map", hour),
    ]
    for name, path, params in asked:
        times = []
        for _ in range(9):
            started = time.perf_counter()
            answer = server.get(path, **params)
            times.append((time.perf_counter() - started) * 1000)
        if "error" in answer:
            sys.exit(f"{name}: {answer['error']}")
        times.sort()
        print(f"{name:18} median {times[4]:7.1f} ms   best {times[0]:7.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    requests = parser.parse_args().spans // PER_REQUEST
    chance = random.Random(7)
    step_ns = HOUR_NS // (requests * PER_REQUEST)
    start_ns = time.time_ns() - HOUR_NS
    pool = []
    for _ in range(min(POOL, requests)):
        group = list(spans(chance, start_ns, step_ns, PER_REQUEST))
        pool.append(Fresh(otlp_body(group), group))
    print(f"{sum(body.size for body in pool) / len(pool) / PER_REQUEST:.0f} bytes a span as sent")
    with ServerProcess() as server:
        jobs = otlp_jobs(pool, requests, start_ns, step_ns)
        run(server, "otlp", jobs, requests * PER_REQUEST)
        few = max(1, requests // 10)
        jobs = list(line_jobs(chance, few, start_ns, step_ns))
        run(server, "lines", iter(jobs), few * PER_REQUEST)
        server.call("POST", "/v1/records", long_trace(time.time_ns()))
        ask(server)


if __name__ == "__main__":
    main()
