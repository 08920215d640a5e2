"""Every test runs away from the user's home, and generates the same examples in every run."""

import itertools
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings

_FOLDER = tempfile.TemporaryDirectory(prefix="clerestory-tests-")
_OWN = {
    "CLERESTORY_SPOOL_DIRECTORY": str(Path(_FOLDER.name) / "spool"),
    "XDG_STATE_HOME": str(Path(_FOLDER.name) / "state"),
}
# Two processes that run tests must not deliver each other's records.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(_OWN)
for _name, _value in _OWN.items():
    os.environ.setdefault(_name, _value)
os.environ.setdefault("CLERESTORY_SERVER_XRAY_ADDRESS", "127.0.0.1:0")

# A red run can be repeated; `make fuzz` draws new examples. How long one takes says more about
# the machine than about us.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None)
settings.load_profile("fuzz" if os.environ.get("CLERESTORY_FUZZ_EXAMPLES") else "repeatable")


@pytest.fixture
def busy():
    """A program that computes without a pause until it is told to stop."""
    done, begun = threading.Event(), threading.Event()

    def compute():
        begun.set()
        for _ in itertools.takewhile(lambda _: not done.is_set(), itertools.count()):
            sum(range(100))

    thread = threading.Thread(target=compute)
    thread.start()
    begun.wait(10)
    yield done
    done.set()
    thread.join()
