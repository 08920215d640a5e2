"""One case of overhead.py, in a process of its own; prints its figures as one line of JSON."""

import gc
import json
import logging
import os
import sys
import time

WORK_US = 18.0
REST_S = 1.0  # in which most of what was logged is sent, so that the next turns are undisturbed


def work(amount):
    """Do pure Python work."""
    total = 0
    for number in range(amount):
        total += number & 7
    return total


def silent(_number):
    """Log nothing."""


def calibrated():
    """Return the amount of work that takes 18 us here."""
    amount = 1000
    turns(silent, 20_000, amount)
    found = turns(silent, 20_000, amount)
    return max(1, round(amount * WORK_US / found["program_us"]))


def clerestory():
    import clerestory as library

    log = library.get_logger("overhead")
    library.configure()
    return lambda number: log.info("Processing order", order=number, sku="abc", amount=1.5)


agent = clerestory


def watchtower():
    import watchtower as library

    handler = library.CloudWatchLogHandler(log_group_name="overhead", log_stream_name="one")
    log = logging.getLogger("overhead")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    return lambda number: log.info({"msg": "Processing order", "order": number, "sku": "abc"})


def opentelemetry():
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    log = logging.getLogger("overhead")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(LoggingHandler(logger_provider=provider))
    extra = {"sku": "abc", "amount": 1.5}
    return lambda number: log.info("Processing order", extra={"order": number, **extra})


def turns(call, count, amount):
    """Work and call so many times; return the CPU time and the tail of a turn."""
    gc.collect()
    waits = [0.0] * count
    clock = time.perf_counter
    process, own = time.process_time(), time.thread_time()
    for number in range(count):
        begin = clock()
        work(amount)
        call(number)
        waits[number] = clock() - begin
    process, own = time.process_time() - process, time.thread_time() - own
    waits.sort()
    return {
        "program_us": own / count * 1e6,
        "process_us": process / count * 1e6,
        "p99_us": waits[int(count * 0.99)] * 1e6,
        "p999_us": waits[int(count * 0.999)] * 1e6,
    }


def main():
    if sys.argv[1] == "calibrate":
        print(calibrated())
        return
    case, count, amount, pairs = sys.argv[1], *map(int, sys.argv[2:])
    turns(silent, 20_000, amount)
    call = globals()[case]()
    for number in range(500):
        call(number)
    found = []
    for _ in range(pairs):
        time.sleep(REST_S)
        found.append([turns(silent, count, amount), turns(call, count, amount)])
    print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
