"""A program that starts work in every way there is; for test_carrying.

Prints the records that it made as lines of JSON.
"""

import asyncio
import json
import logging
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.context import SpawnProcess
from multiprocessing.pool import Pool, ThreadPool

import clerestory

log = clerestory.get_logger("work")
plain = logging.getLogger("plain")


def work(name: str) -> str:
    log.info("log in %s", name)
    plain.info("plain in %s", name)
    with clerestory.span(f"span in {name}"):
        pass
    clerestory.flush()
    return name


class Worker(threading.Thread):
    def run(self) -> None:
        work("thread subclass")


class Child(SpawnProcess):
    def run(self) -> None:
        work("process subclass")


def in_threads() -> None:
    threads = [
        threading.Thread(target=work, args=("thread",)),
        threading.Timer(0.001, work, ("timer",)),
        Worker(),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool = ThreadPool(1)
    for name in pool.imap_unordered(work, ["pool imap"]):
        assert name
    pool.map(work, ["pool map"])
    pool.apply(work, ("pool apply",))
    pool.close()
    pool.join()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(work, "executor").result()
        list(executor.map(work, ["executor map"]))


def in_asyncio() -> None:
    async def main() -> None:
        async def task() -> None:
            work("task")

        await asyncio.create_task(task())
        await asyncio.to_thread(work, "to_thread")
        await asyncio.get_running_loop().run_in_executor(None, work, "run_in_executor")

    asyncio.run(main())


def in_processes() -> None:
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        process = context.Process(  # type: ignore[attr-defined]
            target=work, args=(f"{method} process",)
        )
        process.start()
        process.join()
        with ProcessPoolExecutor(1, mp_context=context) as executor:
            executor.submit(work, f"{method} executor").result()
        with Pool(1, context=context) as pool:
            pool.map(work, [f"{method} pool"])
    child = Child()
    child.start()
    child.join()
    pid = os.fork()
    if pid == 0:
        work("os.fork")
        os._exit(0)
    os.waitpid(pid, 0)


def later() -> None:
    """Use pools that began inside a block, outside of it."""
    with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:
        with clerestory.span("block that started the pools"):
            threads.submit(time.time).result()
            processes.submit(time.time).result()
        threads.submit(work, "later executor").result()
        processes.submit(work, "later process executor").result()


if __name__ == "__main__":
    with clerestory.request_context(user="u1"), clerestory.span("outer") as outer:
        in_threads()
        in_asyncio()
        in_processes()
    later()
    clerestory.flush()
    print(json.dumps({"trace_id": outer.trace_id, "span_id": outer.span_id}))
