"""A program under a fault of faults.py: logs numbered records as one of the peers, ends as told.

    python benchmarks/fault_case.py PEER SCENARIO COUNTER COUNT RATE

Each record says `id=WHO:NUMBER`; COUNTER.WHO holds, in shared memory, how many calls returned.
"""

import logging
import mmap
import multiprocessing
import os
import signal
import struct
import sys
import time

DAY_S = 24 * 3600


class Counter:
    """How many calls of one writer returned; outlives the process."""

    def __init__(self, path, who):
        descriptor = os.open(f"{path}.{who}", os.O_RDWR | os.O_CREAT)
        os.ftruncate(descriptor, 8)
        self._memory = mmap.mmap(descriptor, 8)

    def set(self, number):
        """Say that so many calls returned."""
        self._memory[:8] = struct.pack("<Q", number)


def clerestory():
    import clerestory as library

    library.configure(
        service="faults",
        destinations=["cloudwatch:///faults"],
        level="INFO",
        limits_value_chars=2_000_000,
        limits_line_bytes=2_000_000,
    )
    return library.get_logger("faults")


def watchtower():
    import watchtower as library

    return with_handler(library.CloudWatchLogHandler(log_group_name="faults"))


def otel():
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    try:
        from opentelemetry.sdk._logs import LoggingHandler
    except ImportError:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler

    provider = LoggerProvider()
    endpoint = os.environ["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] + "/v1/logs"
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint)))
    set_logger_provider(provider)
    return with_handler(LoggingHandler(logger_provider=provider))


def with_handler(handler):
    log = logging.getLogger("faults")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    return log


PEERS = {"clerestory": clerestory, "watchtower": watchtower, "otel": otel}


def write(log, path, who, count, rate):
    """Log so many records, so many a second; as fast as it goes if the rate is 0."""
    counter = Counter(path, who)
    begin = time.monotonic()
    for number in range(count):
        log.info(f"id={who}:{number} order placed and paid for, on its way to the customer")
        counter.set(number + 1)
        if rate and number % 20 == 19:
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))


def write_with(log, path, count, rate, odd):
    """Log as usual, and in the middle of it something odd."""
    write(log, path, "before", count // 2, rate)
    odd(log, Counter(path, "odd"))
    write(log, path, "after", count // 2, rate)


def poison(log, _counter):
    log.info("poison")


def old(log, counter):
    record = log.makeRecord("faults", 20, __file__, 1, "id=odd:0 old", (), None)
    record.created -= 25 * 3600
    log.handle(record)
    counter.set(1)


def large(log, counter):
    log.info("id=odd:0 " + "x" * 300_000 + " end")
    counter.set(1)
    log.info("id=odd:1 " + "x" * 1_100_000 + " end")
    counter.set(2)


ODD = {"poison": poison, "old": old, "large": large}


def end_as(scenario):
    """End without a chance to say good-bye."""
    if scenario == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
    if scenario == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    if scenario == "_exit":
        os._exit(0)


def in_child(log, path, count, rate):
    """Log in the parent, and as much in a forked child of multiprocessing."""
    write(log, path, "parent", count // 2, rate)
    arguments = (log, path, "child", count // 2, rate)
    child = multiprocessing.get_context("fork").Process(target=write, args=arguments)
    child.start()
    child.join()


def adopt(log):
    """Be the next process: stay until nothing is left of the one before."""
    import clerestory as library

    log.info("the next process")
    deadline = time.monotonic() + 25
    folder = os.environ["CLERESTORY_SPOOL_DIRECTORY"]
    while time.monotonic() < deadline:
        if library.flush(1) and len([one for one in os.scandir(folder) if len(one.name) == 32]) < 2:
            return
        time.sleep(0.1)


def main():
    peer, scenario, path = sys.argv[1:4]
    count, rate = int(sys.argv[4]), float(sys.argv[5])
    log = PEERS[peer]()
    if scenario == "adopt":
        adopt(log)
    elif scenario == "child":
        in_child(log, path, count, rate)
    elif scenario in ODD:
        write_with(log, path, count, rate, ODD[scenario])
    else:
        write(log, path, "main", count, rate)
        end_as(scenario)


if __name__ == "__main__":
    main()
