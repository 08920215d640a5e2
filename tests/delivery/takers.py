"""Destinations that keep what they are given, and lines to give them."""

import threading
import time

import msgspec

from clerestory.delivery.port import BatchLimits


def line(number, level="INFO", logger="shop", **fields):
    record = {"timestamp": time.time_ns(), "level": level, "logger": logger, "n": number, **fields}
    return msgspec.json.encode(record) + b"\n"


class Taker:
    """Keeps what it is given; `script` holds what to raise or return first."""

    adopts = True
    limits = BatchLimits()

    def __init__(self, name="taker", script=()):
        self.name = name
        self.script = list(script)
        self.batches = []
        self.taken = []
        self.closed = threading.Event()

    def send(self, batch):
        self.batches.append(batch)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        count = batch.count if step is None else step.taken
        kept = [msgspec.json.decode(one) for at, one in batch.records() if at < count]
        self.taken += [record["n"] for record in kept]
        return step

    def close(self):
        self.closed.set()


def put(pipeline, *lines):
    for one in lines:
        try:
            pipeline.append(one)
        except ValueError:
            pipeline.append_when_full(one)
