"""How many events a second PutLogEvents takes, at what cost, and how fast they are read back.

    python benchmarks/put_log_events.py [--seconds 15] [--senders 2] [--kind short|text|json|all]

A server in a process of its own; senders with http.client and bodies made before, so that what is
measured is the server. Requests are full: 10,000 events of 78 bytes, or 7,400 of 115, which is
what one mebibyte with 26 bytes an event allows. An answer means stored, so the rate is that of
stored events.
"""

import argparse
import http.client
import json
import random
import resource
import statistics
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.server import ServerProcess

EVENTS = {"short": 10_000, "text": 7_400, "json": 7_400}
BYTES = {"short": 78, "text": 115, "json": 115}
BODIES = 8


def call(connection, operation, content):
    """Call an operation; return its answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {
        "X-Amz-Target": f"Logs_20140328.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(text.decode())
    return json.loads(text)


def message(kind, number):
    """Return an event."""
    size = BYTES[kind]
    if kind == "json":
        made = {
            "level": "INFO",
            "message": f"request {number % 997} served",
            "path": f"/orders/{number % 53}",
            "ms": number % 701,
        }
        text = json.dumps(made)
        return text[:-1] + ',"pad":"' + "x" * (size - len(text) - 9) + '"}'
    text = f"{random.randrange(10**9)} GET /orders/{number % 53} 200 in {number % 701} ms for user"
    return text.ljust(size, ".")[:size]


def bodies(kind, stream):
    """Return requests of now."""
    now = time.time_ns() // 1_000_000
    place = {"logGroupName": "bench", "logStreamName": stream}
    return [
        json.dumps(
            place
            | {
                "logEvents": [
                    {"timestamp": now + number // 100, "message": message(kind, number + each)}
                    for number in range(EVENTS[kind])
                ]
            }
        ).encode()
        for each in range(BODIES)
    ]


def send(address, kind, stream, until, waits):
    """Send requests until a time; note how long each took."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    made = bodies(kind, stream)
    for number in range(10**9):
        started = time.perf_counter()
        if until[0] and started > until[0]:
            return
        call(connection, "PutLogEvents", made[number % BODIES])
        if until[0]:
            waits.append(time.perf_counter() - started)


def cpu_s(process):
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(server, kind, senders, seconds):
    """Print the rate, the cost and the waits of a kind of events."""
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    connection = http.client.HTTPConnection(*address, timeout=60)
    until, waits = [0.0], []
    threads = []
    for number in range(senders):
        stream = f"{kind}-{number}"
        call(connection, "CreateLogStream", {"logGroupName": "bench", "logStreamName": stream})
        threads.append(threading.Thread(target=send, args=(address, kind, stream, until, waits)))
    for thread in threads:
        thread.start()
    time.sleep(3)
    began, cpu = time.perf_counter(), cpu_s(server.process)
    until[0] = began + seconds
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - began, cpu_s(server.process) - cpu
    count = len(waits) * EVENTS[kind]
    waits.sort()
    print(
        f"{kind}: {count / took:,.0f} events/s, {used / count * 1e6:.1f} us of CPU an event, "
        f"request p50 {statistics.median(waits) * 1000:.0f} ms, "
        f"p99 {waits[int(len(waits) * 0.99) - 1] * 1000:.0f} ms, {senders} senders"
    )


def reading(server):
    """Print how long it takes to read pages back."""
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    connection = http.client.HTTPConnection(*address, timeout=60)
    calls = {
        "GetLogEvents, the newest page": (
            "GetLogEvents", {"logStreamName": "text-0"},
        ),
        "FilterLogEvents, a page of everything": ("FilterLogEvents", {}),
        "FilterLogEvents, a JSON pattern": (
            "FilterLogEvents", {"filterPattern": "{ $.ms = 77 && $.path = /orders/7 }"},
        ),
        "FilterLogEvents, a word that is not there": (
            "FilterLogEvents", {"filterPattern": "nosuchword"},
        ),
        "DescribeLogStreams": ("DescribeLogStreams", {}),
    }  # fmt: skip
    for name, (operation, given) in calls.items():
        started = time.perf_counter()
        answer = call(connection, operation, {"logGroupName": "bench"} | given)
        took = (time.perf_counter() - started) * 1000
        print(f"{name}: {took:.0f} ms, {len(answer.get('events', answer))} events")


def main():
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--kind", choices=[*EVENTS, "all"], default="all")
    options = parser.parse_args()
    with ServerProcess() as server:
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        connection = http.client.HTTPConnection(*address, timeout=60)
        call(connection, "CreateLogGroup", {"logGroupName": "bench"})
        for kind in EVENTS if options.kind == "all" else (options.kind,):
            measure(server, kind, options.senders, options.seconds)
        reading(server)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"memory of the server at its peak: {peak // 1024} MiB")


if __name__ == "__main__":
    main()
