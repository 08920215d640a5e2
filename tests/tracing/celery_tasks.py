"""Tasks of Celery over a broker made of files; for test_celery.

As a program, it sends each task once, inside a request, and runs one itself.
"""

import json
import logging
import os
import time
from pathlib import Path

from celery import Celery

import clerestory

FOLDER = Path(os.environ["TASKS_FOLDER"])
log = clerestory.get_logger("ours")
plain = logging.getLogger("plain")

app = Celery("celery_tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER / "queue"),
    "data_folder_out": str(FOLDER / "queue"),
    "control_folder": str(FOLDER / "control"),
    "polling_interval": 0.05,
}
app.conf.task_ignore_result = True


@app.task
def work(name):
    log.info("log in %s", name)
    plain.info("plain in %s", name)
    with clerestory.span(f"span in {name}"):
        time.sleep(0)


@app.task
def fail(inside):
    if inside:
        with clerestory.span("innermost"):
            raise LookupError("no such order")
    raise LookupError("no such order")


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retry(self):
    log.info("attempt %d", self.request.retries)
    if self.request.retries == 0:
        raise self.retry()


@app.task
def chain(name):
    work.delay(name)


if __name__ == "__main__":
    (FOLDER / "queue").mkdir(exist_ok=True)
    clerestory.configure()
    with clerestory.request_context(user="u1", tags=["a", 1]), clerestory.span("outer") as outer:
        work.delay("worker")
        chain.delay("task of a task")
        fail.delay(inside=False)
        fail.delay(inside=True)
        retry.delay()
        work.apply(("eager",))
    work.delay("outside")
    clerestory.flush()
    print(json.dumps({"trace_id": outer.trace_id, "span_id": outer.span_id}))
