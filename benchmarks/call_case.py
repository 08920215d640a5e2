"""One case of call.py, in a process of its own; prints its figures as one line of JSON."""

import gc
import io
import json
import logging
import os
import statistics
import sys
import threading
import time

MESSAGE = "Processing order"
WANTED = {"order": 7, "sku": "abc", "amount": 1.5, "user_id": "user123", "request_id": "req456"}
CONTEXT = {"user_id": "user123", "request_id": "req456"}


class Sink(io.StringIO):
    """Keeps what was written."""


def ours():
    import clerestory

    folder = os.environ["BENCH_FOLDER"]
    clerestory.configure(
        service="bench",
        destinations=["memory"],
        spool_mode=os.environ["BENCH_MODE"],
        spool_directory=folder,
        spool_memory_bytes_max=512 * 1024 * 1024,
        spool_segment_bytes=64 * 1024 * 1024,
        delivery_poll_interval=3600,
    )
    log = clerestory.get_logger("bench.orders")
    clerestory.bind(**CONTEXT)

    def lines():
        from clerestory.delivery.road import ROAD

        segments = ROAD.pipeline.spool.segments
        return segments[0].read(0, segments[0].end()).decode().splitlines()

    return log, lambda i: log.info(MESSAGE, order=i, sku="abc", amount=1.5), lines


def ours_stdlib():
    _, _, lines = ours()
    log = logging.getLogger("bench.orders")

    def call(i):
        log.info(MESSAGE, extra={"order": i, "sku": "abc", "amount": 1.5})

    return log, call, lines


def json_logger():
    from pythonjsonlogger.json import JsonFormatter

    sink = Sink()
    handler = logging.StreamHandler(sink)
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s %(module)s %(funcName)s %(lineno)d"
    handler.setFormatter(JsonFormatter(fields))

    class Context(logging.Filter):
        def filter(self, record):
            record.__dict__.update(CONTEXT)
            return True

    handler.addFilter(Context())
    log = logging.getLogger("bench.orders")
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    def call(i):
        log.info(MESSAGE, extra={"order": i, "sku": "abc", "amount": 1.5})

    return log, call, lambda: sink.getvalue().splitlines()


def structlog():
    import orjson
    import structlog as library

    sink = io.BytesIO()
    parameter = library.processors.CallsiteParameter
    library.configure(
        cache_logger_on_first_use=True,
        wrapper_class=library.make_filtering_bound_logger(logging.INFO),
        processors=[
            library.contextvars.merge_contextvars,
            library.processors.add_log_level,
            library.processors.CallsiteParameterAdder(
                [parameter.MODULE, parameter.FUNC_NAME, parameter.LINENO]
            ),
            library.processors.TimeStamper(fmt="iso", utc=True),
            library.processors.EventRenamer("message"),
            library.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=library.BytesLoggerFactory(file=sink),
    )
    library.contextvars.bind_contextvars(**CONTEXT)
    log = library.get_logger().bind(logger="bench.orders")

    def call(i):
        log.info(MESSAGE, order=i, sku="abc", amount=1.5)

    return log, call, lambda: sink.getvalue().decode().splitlines()


def loguru():
    from loguru import logger as log

    sink = Sink()
    log.remove()
    log.add(sink, serialize=True, level="INFO")
    bound = log.bind(**CONTEXT)

    def call(i):
        bound.info(MESSAGE, order=i, sku="abc", amount=1.5)

    def lines():
        texts = []
        for line in sink.getvalue().splitlines():
            record = json.loads(line)["record"]
            texts.append(
                json.dumps(
                    record["extra"]
                    | {
                        "message": record["message"],
                        "funcName": record["function"],
                        "lineno": record["line"],
                    }
                )
            )
        return texts

    return bound, call, lines


def otel():
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter

    try:
        from opentelemetry.sdk._logs import LoggingHandler
    except ImportError:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler

    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=500_000))
    set_logger_provider(provider)
    log = logging.getLogger("bench.orders")
    log.addHandler(LoggingHandler(logger_provider=provider))
    log.setLevel(logging.INFO)

    def call(i):
        log.info(MESSAGE, extra={"order": i, "sku": "abc", "amount": 1.5, **CONTEXT})

    def lines():
        provider.force_flush()
        texts = []
        for data in exporter.get_finished_logs():
            attributes = dict(data.log_record.attributes)
            attributes["message"] = data.log_record.body
            attributes["funcName"] = attributes.get("code.function.name")
            attributes["lineno"] = attributes.get("code.line.number")
            texts.append(json.dumps(attributes))
        return texts

    return log, call, lines


def check(lines):
    """Fail unless the first line carries all that the others carry."""
    fields = json.loads(lines[0])
    first = WANTED | {"order": 0, "message": MESSAGE}
    missing = {key: value for key, value in first.items() if fields.get(key) != value}
    func = fields.get("funcName", fields.get("func_name"))
    if missing or not func or not fields.get("lineno"):
        raise SystemExit(f"not the same work: {missing} {func} in {lines[0]}")


def cpu_ns(call, calls):
    start = time.thread_time_ns()
    for i in range(calls):
        call(i)
    return (time.thread_time_ns() - start) / calls


def loop_ns(calls):
    return cpu_ns(lambda _i: None, calls)


def in_threads(call, calls, threads):
    figures = []
    workers = [
        threading.Thread(target=lambda: figures.append(cpu_ns(call, calls))) for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return statistics.median(figures)


class Pauses:
    """Times the collector's runs, and counts the objects it has to look at."""

    def __enter__(self):
        self.longest_ns = self._started = 0
        gc.callbacks.append(self._note)
        gc.collect()
        self._before = len(gc.get_objects())
        self.longest_ns = 0
        return self

    def _note(self, phase, _told):
        now = time.perf_counter_ns()
        if phase == "start":
            self._started = now
        else:
            self.longest_ns = max(self.longest_ns, now - self._started)

    def __exit__(self, *_error):
        gc.callbacks.remove(self._note)
        self.objects = len(gc.get_objects()) - self._before


def main():
    case, calls = sys.argv[1], int(sys.argv[2])
    log, call, lines = globals()[case]()
    for i in range(300):
        call(i)
    empty = loop_ns(calls)
    gc.collect()
    figure = statistics.median(cpu_ns(call, calls) for _ in range(3)) - empty
    walls = [0] * calls
    with Pauses() as pauses:
        for i in range(calls):
            start = time.perf_counter_ns()
            call(i)
            walls[i] = time.perf_counter_ns() - start
    walls.sort()
    off = cpu_ns(lambda i: log.debug("nothing", order=i, sku="abc", amount=1.5), calls) - empty
    threads4 = in_threads(call, calls // 4, 4) - empty if case.startswith("ours") else 0
    made = lines()
    check(made)
    print(
        json.dumps(
            {
                "call": figure,
                "p99": walls[int(calls * 0.99)],
                "p999": walls[int(calls * 0.999)],
                "off": off,
                "threads4": threads4,
                "objects": pauses.objects / calls,
                "pause": pauses.longest_ns,
                "bytes": statistics.mean(len(line) + 1 for line in made[:1000]),
            }
        ),
        flush=True,
    )
    os._exit(0)


if __name__ == "__main__":
    main()
