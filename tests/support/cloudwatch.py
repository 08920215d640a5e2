"""CloudWatch for tests: a destination and batches for it, handlers and a place for them."""

import json
import logging
import os
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

from clerestory.configuration import program
from clerestory.delivery.port import Batch
from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig
from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs

GROUP = "/test/shop"
RESOURCE = {
    "service.name": "shop",
    "host.name": "box",
    "process.pid": 4711,
    "process.creation.time": "2026-11-21T10:00:00Z",
}
STREAM = "box_20261121_100000_4711"
HOUR_S = 3600
DAY_S = 24 * HOUR_S
SOURCE = Path(__file__).parents[2] / "src"


def made(url, **options):
    """Return a destination that sends to a double."""
    given = {
        "log_group": GROUP,
        "region": "eu-central-1",
        "endpoint_url": url,
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "add_origin": False,
        **options,
    }
    return CloudWatch(CloudWatchConfig(**given))


def line(message="m", age_s=0.0, **fields):
    """Return a line of the spool."""
    ns = time.time_ns() - int(age_s * 1e9)
    head = {"timestamp": ns, "level": "INFO", "logger": "shop", "message": message, **fields}
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def batch(*lines, first=0, resource=None):
    """Return a batch of lines."""
    return Batch(
        spool_id="ab" * 16,
        first=first,
        count=len(lines),
        lines=b"".join(lines),
        resource=RESOURCE if resource is None else resource,
    )


@contextmanager
def endpoint_of_environment(monkeypatch, folder):
    """Yield a double that AWS's own variables lead to; spools lie in the folder."""
    monkeypatch.setattr(program._State, "settings", None)
    monkeypatch.setenv("CLERESTORY_SPOOL_DIRECTORY", str(folder / "spool"))
    with CloudWatchLogs() as one:
        for name, value in environment(one.url).items():
            monkeypatch.setenv(name, value)
        yield one


def environment(url):
    """Return AWS's own variables."""
    return {
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def logger_with(handler):
    """Yield a logger that only this handler listens to."""
    logger = logging.getLogger(f"faces.{id(handler)}")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        handler.close()


def records(double, group="g"):
    """Return what the group has, decoded; nothing while there is no group."""
    return double.records(group) if group in double.groups else []


def run(tmp_path, double, code, **variables):
    """Run a program as a user would, and return its output."""
    script = tmp_path / "my_app.py"
    script.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment(double.url),
            "PYTHONPATH": str(SOURCE),
            "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
            "CLERESTORY_DESTINATIONS": "memory",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
