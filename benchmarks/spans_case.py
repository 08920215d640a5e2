"""One case of spans.py, in a process of its own; prints its figures as one line of JSON."""

import gc
import json
import os
import statistics
import sys
import time

NAME = "checkout"
WANTED = {"order": 0, "sku": "abc", "amount": 1.5}


def _configure():
    import clerestory

    clerestory.configure(
        service="bench",
        destinations=["memory"],
        spool_mode=os.environ["BENCH_MODE"],
        spool_directory=os.environ["BENCH_FOLDER"],
        spool_memory_bytes_max=512 * 1024 * 1024,
        spool_segment_bytes=64 * 1024 * 1024,
        delivery_poll_interval=3600,
    )

    def first():
        from clerestory.delivery.road import ROAD

        segment = ROAD.pipeline.spool.segments[0]
        fields = json.loads(segment.read(0, segment.end()).split(b"\n", 1)[0])
        return fields["message"], fields, fields["duration_ns"]

    return first


def ours():
    first = _configure()
    from clerestory import span

    def call(i):
        with span(NAME, order=i, sku="abc", amount=1.5):
            pass

    return call, first


def _api_call(tracer):
    def call(i):
        attributes = {"order": i, "sku": "abc", "amount": 1.5}
        with tracer.start_as_current_span(NAME, attributes=attributes):
            pass

    return call


def ours_api():
    from opentelemetry import trace

    first = _configure()
    return _api_call(trace.get_tracer("bench")), first


def _exporter():
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


def otel():
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = _exporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=500_000))

    def first():
        provider.force_flush()
        one = exporter.get_finished_spans()[0]
        return one.name, dict(one.attributes), one.end_time - one.start_time

    return _api_call(provider.get_tracer("bench")), first


def logfire():
    import logfire as library
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = _exporter()
    library.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        additional_span_processors=[BatchSpanProcessor(exporter, max_queue_size=500_000)],
    )

    def call(i):
        with library.span(NAME, order=i, sku="abc", amount=1.5):
            pass

    def first():
        library.force_flush()
        one = next(one for one in exporter.get_finished_spans() if one.name == NAME)
        return one.name, dict(one.attributes), one.end_time - one.start_time

    return call, first


def check(first):
    """Fail unless the first span carries all that the others carry."""
    name, fields, duration_ns = first()
    missing = {key: value for key, value in WANTED.items() if fields.get(key) != value}
    if name != NAME or missing or duration_ns <= 0:
        raise SystemExit(f"not the same work: {name} {missing} {duration_ns} in {fields}")


def cpu_ns(call, calls):
    start = time.thread_time_ns()
    for i in range(calls):
        call(i)
    return (time.thread_time_ns() - start) / calls


def main():
    case, calls = sys.argv[1], int(sys.argv[2])
    call, first = globals()[case]()
    for i in range(300):
        call(i)
    empty = cpu_ns(lambda _i: None, calls)
    gc.collect()
    figure = statistics.median(cpu_ns(call, calls) for _ in range(3)) - empty
    walls = [0] * calls
    for i in range(calls):
        start = time.perf_counter_ns()
        call(i)
        walls[i] = time.perf_counter_ns() - start
    walls.sort()
    check(first)
    tails = {"p99": walls[int(calls * 0.99)], "p999": walls[int(calls * 0.999)]}
    print(json.dumps({"span": figure, **tails}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
