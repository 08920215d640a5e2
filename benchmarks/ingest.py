"""How fast the server takes records in, how much disk they take, how fast they are found.

    python benchmarks/ingest.py --records 5000000

Starts a server in a process of its own, sends bodies over six keep-alive connections, half of the
records as OTLP in protobuf and half as our own lines, then asks. The records are 24 hours in the
order of time; 40 bodies are encoded beforehand, and before each sending their times are written
anew. CPU is the server's alone. Merges run all the time, so a long run shows their cost, too.
"""

import argparse
import http.client
import json
import os
import random
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.server import ServerProcess

PER_REQUEST = 8000
CONNECTIONS = 6
POOL = 40
FIXED64 = struct.Struct("<Q").pack
DAY_NS = 86_400 * 10**9
TEMPLATES = [
    "smtp timeout while sending order {} to warehouse",
    "Processing order {} for customer",
    "request finished in {} ms, status ok",
    "cache miss for key user:{}",
    "retrying payment {} after network error",
    "job {} picked up by worker and started",
]
LEVELS = ["INFO"] * 14 + ["DEBUG"] * 4 + ["WARNING", "ERROR"]
OTEL = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17}
SERVICES = [f"service-{number}" for number in range(12)]


def record(chance, at_ns, trace):
    return {
        "timestamp": at_ns,
        "level": chance.choice(LEVELS),
        "logger": f"shop.module{chance.randrange(36)}",
        "module": "orders",
        "funcName": "process_request",
        "lineno": chance.randrange(400),
        "message": chance.choice(TEMPLATES).format(chance.randrange(10**6)),
        "trace_id": trace,
        "span_id": f"{chance.getrandbits(64):016x}",
        "user_id": f"u_{chance.randrange(50_000)}",
        "order": chance.randrange(10**6),
        "http.request.method": "POST",
        "http.route": "/api/v1/orders/{id}",
        "duration_ms": round(chance.random() * 100, 2),
        "region": "eu-west-1",
    }


def records(chance, start_ns, step_ns, count):
    trace = ""
    for index in range(count):
        if index % 10 == 0:
            trace = f"{chance.getrandbits(128):032x}"
        yield record(chance, start_ns + index * step_ns, trace)


def lines_body(group):
    return b"\n".join(json.dumps(one, separators=(",", ":")).encode() for one in group)


def otlp_body(group, service):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    name = resource.resource.attributes.add()
    name.key, name.value.string_value = "service.name", service
    scope = resource.scope_logs.add()
    scope.scope.name = group[0]["logger"]
    for one in group:
        log = scope.log_records.add()
        log.time_unix_nano = one["timestamp"]
        log.severity_number = OTEL[one["level"]]
        log.body.string_value = one["message"]
        log.trace_id = bytes.fromhex(one["trace_id"])
        log.span_id = bytes.fromhex(one["span_id"])
        for key in list(one)[3:6] + list(one)[9:]:
            pair = log.attributes.add()
            pair.key = key
            if isinstance(one[key], int):
                pair.value.int_value = one[key]
            elif isinstance(one[key], float):
                pair.value.double_value = one[key]
            else:
                pair.value.string_value = one[key]
    return request.SerializeToString()


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) // 1024


def send(server, jobs, lock, failures):
    host = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    while True:
        with lock:
            job = next(jobs, None)
        if job is None:
            return
        path, headers, body = job
        while True:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status == 429:
                time.sleep(0.05)
                continue
            if answer.status != 200:
                failures.append(told)
            break


def run(server, name, jobs, count):
    lock, failures = threading.Lock(), []
    pid = server.process.pid
    started, cpu = time.perf_counter(), cpu_s(pid)
    threads = [
        threading.Thread(target=send, args=(server, jobs, lock, failures))
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, cpu = time.perf_counter() - started, cpu_s(pid) - cpu
    if failures:
        sys.exit(f"{len(failures)} requests failed: {failures[0][:500]}")
    print(
        f"{name:8} {count / wall:10,.0f} records/s   {cpu / count * 1e6:6.2f} us CPU/record"
        f"   {rss_mb(pid)} MB anonymous memory"
    )


class Body:
    """A request encoded once, whose times can be written anew.

    Attributes:
        size: Its length in bytes.
    """

    def __init__(self, path, headers, content, times, encode):
        self.path, self.headers, self.size = path, headers, len(content)
        self._content, self._encode = bytearray(content), encode
        self._places = []
        place = 0
        for at_ns in times:
            place = content.index(encode(at_ns), place)
            self._places.append(place)

    def at(self, start_ns, step_ns):
        """Return the request with its records `step_ns` apart, from `start_ns` on."""
        content, encode = self._content.copy(), self._encode
        for index, place in enumerate(self._places):
            at_ns = encode(start_ns + index * step_ns)
            content[place : place + len(at_ns)] = at_ns
        return self.path, self.headers, bytes(content)


def pool_of(chance, kind, start_ns, step_ns):
    """Return 40 requests of one kind."""
    pool = []
    for index in range(POOL):
        service = SERVICES[index % len(SERVICES)]
        group = list(records(chance, start_ns, step_ns, PER_REQUEST))
        times = [one["timestamp"] for one in group]
        if kind == "lines":
            resource = "%7B%22service.name%22%3A%22" + service + "%22%7D"
            headers = {"Content-Type": "application/x-ndjson", "Clerestory-Resource": resource}
            body = Body("/v1/records", headers, lines_body(group), times, b"%d".__mod__)
        else:
            headers = {"Content-Type": "application/x-protobuf"}
            body = Body("/v1/logs", headers, otlp_body(group, service), times, FIXED64)
        pool.append(body)
    size = sum(body.size for body in pool) / len(pool) / PER_REQUEST
    print(f"{kind}: {size:.0f} bytes a record as sent")
    return pool


def jobs_of(pool, requests, start_ns, step_ns):
    """Yield `requests` requests, each later than the one before."""
    for index in range(requests):
        begin_ns = start_ns + index * PER_REQUEST * step_ns
        yield pool[index % len(pool)].at(begin_ns, step_ns)


def ask(server, trace):
    day = {"from": "-1d", "to": "now"}
    asked = [
        ("newest 100", "/api/v1/logs", {"limit": 100, **day}),
        ("two words", "/api/v1/logs", {"q": "smtp warehouse", "limit": 100, **day}),
        ("one trace", "/api/v1/logs", {"q": f"trace:{trace}", "limit": 100, **day}),
        ("attribute", "/api/v1/logs", {"q": "user_id=u_4242", "limit": 100, **day}),
        ("histogram 24 h", "/api/v1/histogram", day),
        ("histogram q 24 h", "/api/v1/histogram", {"q": "level>=error", **day}),
        ("facets 24 h", "/api/v1/facets", day),
    ]
    for name, path, params in asked:
        times, own = [], []
        for _ in range(9):
            started = time.perf_counter()
            answer = server.get(path, **params)
            times.append((time.perf_counter() - started) * 1000)
            own.append(answer.get("elapsed_ms", float("nan")))
        times.sort()
        print(
            f"{name:18} median {times[4]:7.1f} ms   best {times[0]:7.1f} ms   "
            f"in the server {sorted(own)[4]:7.1f} ms"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    requests = parser.parse_args().records // 2 // PER_REQUEST
    chance = random.Random(7)
    step_ns = DAY_NS // (2 * requests * PER_REQUEST)
    start_ns = {"otlp": time.time_ns() - DAY_NS + 10**9}
    start_ns["lines"] = start_ns["otlp"] + requests * PER_REQUEST * step_ns
    pools = {kind: pool_of(chance, kind, at, step_ns) for kind, at in start_ns.items()}
    trace = json.loads(pools["lines"][0].at(start_ns["lines"], step_ns)[2].split(b"\n")[0])[
        "trace_id"
    ]
    with ServerProcess() as server:
        for kind, pool in pools.items():
            jobs = jobs_of(pool, requests, start_ns[kind], step_ns)
            run(server, kind, jobs, requests * PER_REQUEST)
        status = server.get("/api/v1/status")
        print(
            f"{status['store_bytes'] / status['total_records']:.1f} bytes/record on disk, "
            f"{status['total_records']:,} records"
        )
        ask(server, trace)


if __name__ == "__main__":
    main()
