"""One case of delivery.py, in a process of its own; prints its figures as one line of JSON."""

import json
import logging
import os
import sys
import time

ATTRIBUTES = ["levelname", "name", "module", "funcName", "lineno", "created"]


def clerestory(_log, **settings):
    import clerestory as library

    library.configure(
        service="bench", destinations=["cloudwatch:///bench?log_stream=bench"], **settings
    )
    log = library.get_logger("bench.orders")

    def call(number):
        log.info(
            f"id=bench:{number} Processing order",
            order=number,
            sku="abc",
            amount=1.5,
            user_id="user123",
        )

    return call, lambda: library.flush(60)


def unmasked(log):
    return clerestory(log, redact_values=False)


def handler(log):
    from clerestory.cloud import CloudWatchLogHandler

    one = CloudWatchLogHandler(log_group_name="bench", log_stream_name="bench")
    log.addHandler(one)

    def call(number):
        log.info(
            f"id=bench:{number} Processing order",
            extra={"order": number, "sku": "abc", "amount": 1.5, "user_id": "user123"},
        )

    def drain():
        while one.queue.qsize():
            one.flush()

    return call, drain


def watchtower(log):
    import watchtower as library

    one = library.CloudWatchLogHandler(log_group_name="bench", log_stream_name="bench")
    one.formatter.add_log_record_attrs = ATTRIBUTES
    log.addHandler(one)
    # Its burst loses records while the stream is created; here only the cost counts.
    one.cwl_client.create_log_stream(logGroupName="bench", logStreamName="bench")

    def call(number):
        log.info(
            {
                "msg": f"id=bench:{number} Processing order",
                "order": number,
                "sku": "abc",
                "amount": 1.5,
                "user_id": "user123",
            }
        )

    return call, one.flush


def main():
    case, count = sys.argv[1], int(sys.argv[2])
    log = logging.getLogger("bench.orders")
    log.setLevel(logging.INFO)
    log.propagate = False
    call, drain = globals()[case](log)
    call(-1)
    drain()
    wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    for number in range(count):
        call(number)
    drain()
    wall = time.perf_counter() - wall
    cpu, own = time.process_time() - cpu, time.thread_time() - own
    per_million = 1e6 / count
    print(
        json.dumps(
            {
                "sender": (cpu - own) * per_million,
                "whole": cpu * per_million,
                "rate": count / wall,
            }
        ),
        flush=True,
    )
    os._exit(0)


if __name__ == "__main__":
    main()
