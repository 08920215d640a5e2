"""A program that has never heard of clerestory: OpenTelemetry's SDK, OTLP over HTTP.

    logging -> LoggingHandler -> BatchLogRecordProcessor -> OTLPLogExporter ~~> port 4318

It names no endpoint: OpenTelemetry's default is where the server listens.
"""

import logging
import os
import random
import signal
import threading
import warnings
from pathlib import Path
from types import FrameType

from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

log = logging.getLogger("inventory")
stopping = threading.Event()


def main() -> None:
    """Keep stock until SIGTERM, then hand over what is queued and write down the count."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    provider = LoggerProvider(resource=Resource.create({"service.name": "otel-app"}))
    set_logger_provider(provider)
    exporter = BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=300)
    provider.add_log_record_processor(exporter)
    with warnings.catch_warnings():
        # The SDK moves the class to another package; the one here still works.
        warnings.simplefilter("ignore", DeprecationWarning)
        log.addHandler(LoggingHandler(logger_provider=provider))
    log.setLevel(logging.INFO)
    log.propagate = False
    made = 0
    while not stopping.wait(random.uniform(0.01, 0.06)):
        _keep_stock(made)
        made += 1
    provider.shutdown()
    counts = Path(os.environ.get("DEMO_COUNTS", "."))
    (counts / f"otel-app.{os.getpid()}.count").write_bytes(made.to_bytes(8, "little"))


def _stop(_number: int, _frame: FrameType | None) -> None:
    stopping.set()


def _keep_stock(turn: int) -> None:
    """Log exactly one record."""
    item = random.choice(("teapot", "kettle", "cup", "strainer", "caddy"))
    stock = random.randint(0, 40)
    if stock == 0:
        try:
            _reserve(item)
        except LookupError:
            log.exception("cannot reserve", extra={"item": item, "turn": turn})
    elif stock < 4:
        log.warning("only %d of %s left", stock, item, extra={"item": item, "stock": stock})
    else:
        log.info("stock counted", extra={"item": item, "stock": stock, "turn": turn})


def _reserve(item: str) -> None:
    raise LookupError(f"{item} is sold out")


if __name__ == "__main__":
    main()
