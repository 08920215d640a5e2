"""The writer behind the storages, and destinations as storages."""

import asyncio
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clerestory.model.errors import ConfigurationError, LimitError, RetryError
from clerestory.storage.destination import DestinationStorage
from clerestory.storage.opening import open_storage
from clerestory.storage.writer import BatchWriter


def store_all(storage, entries):
    async def main():
        await asyncio.gather(*(storage.store(level, text, **kw) for level, text, kw in entries))

    asyncio.run(main())


# -- writer ------------------------------------------------------------------------------------


def test_storing_does_not_hold_the_event_loop():
    """While a disk hangs, other tasks go on."""
    may_write = threading.Event()
    written = []

    def write(entries):
        assert may_write.wait(10)
        written.extend(entries)

    async def main():
        writer = BatchWriter(write)
        task = asyncio.create_task(writer.put("entry"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        may_write.set()
        await task

    asyncio.run(main())

    assert written == ["entry"]


def test_a_queue_that_stays_full_is_an_error():
    """The queue is bounded; who cannot be served is told so."""
    may_write = threading.Event()

    def write(_entries: list[int]) -> None:
        may_write.wait(10)

    async def main():
        writer = BatchWriter(write, pending_max=2, wait_s_max=0.05)
        tasks = [asyncio.create_task(writer.put(n)) for n in range(20)]
        refused = [task for task in (await asyncio.wait(tasks, timeout=0.3))[0] if task.exception()]
        assert len(refused) >= 15
        assert all(isinstance(task.exception(), LimitError) for task in refused)
        may_write.set()
        await asyncio.wait(tasks)

    asyncio.run(main())


def test_a_task_that_is_cancelled_gives_up_waiting_not_the_entry():
    """A web request that ends early still leaves its log entry."""
    may_write = threading.Event()
    written = []

    def write(entries):
        assert may_write.wait(10)
        written.extend(entries)

    async def main():
        writer = BatchWriter(write)
        tasks = [asyncio.create_task(writer.put(n)) for n in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        may_write.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(main())

    assert (first, third) == (None, None)
    assert isinstance(second, asyncio.CancelledError)
    assert sorted(written) == [0, 1, 2]


# -- destinations ------------------------------------------------------------------------------


class Sink:
    """A destination that fails as often as it is told to."""

    def __init__(self, failures=0):
        self.batches = []
        self.failures = failures

    def send(self, batch):
        self.batches.append(batch)
        if self.failures:
            self.failures -= 1
            raise RetryError("not now")


def test_a_destination_gets_batches_of_lines_with_numbers():
    """Anything with `send(batch)` is a storage."""
    sink = Sink()
    storage = DestinationStorage(sink, resource={"service.name": "shop"})

    store_all(storage, [("info", f"m{n}", {}) for n in range(50)])

    lines = [line for batch in sink.batches for _, line in batch.records()]
    assert sorted(json.loads(line)["message"] for line in lines) == sorted(
        f"m{n}" for n in range(50)
    )
    firsts = [batch.first for batch in sink.batches]
    counts = [batch.count for batch in sink.batches]
    assert firsts == [sum(counts[:n]) for n in range(len(counts))]
    assert len(sink.batches) < 10
    assert sink.batches[0].resource == {"service.name": "shop"}


def test_a_destination_in_trouble_gets_the_very_same_batch_again():
    """So it knows what it stored already; other entries never get the numbers of failed ones."""
    sink = Sink(failures=4)
    storage = DestinationStorage(sink, resource={})

    with pytest.raises(RetryError):
        store_all(storage, [("info", "first", {})])
    store_all(storage, [("info", "second", {})])

    assert [batch.first for batch in sink.batches] == [0, 0, 0, 1, 1]
    assert sink.batches[0] == sink.batches[1]


def test_elasticsearch_is_opened_by_its_name_and_gets_the_entry():
    """By the same registry as the setting `destinations`, over real HTTP."""
    bodies = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            bodies.append(body)
            answer = b'{"errors":false,"items":[]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    storage = open_storage(f"http://127.0.0.1:{server.server_address[1]}")
    assert isinstance(storage, DestinationStorage)
    try:
        store_all(storage, [("warning", "summary", {"count": 3})])
    finally:
        storage.destination.close()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()

    assert b'"message":"summary"' in bodies[0]
    assert b'"count":3' in bodies[0]


def test_a_storage_that_is_not_known_is_a_clear_error(tmp_path):
    """The message lists what may be written."""
    for wrong in ("elastic", "", 7, {"path": "x"}, {"type": "mongo"}):
        with pytest.raises(ConfigurationError, match="write log, file:PATH, database:PATH"):
            open_storage(wrong)
    with pytest.raises(ConfigurationError, match="did you mean 'retention_days'"):
        open_storage({"type": "database", "retention": 3})
    with pytest.raises(ConfigurationError, match="did you mean 'max_size'"):
        open_storage({"type": "file", "path": tmp_path / "x", "maxsize": 3})
