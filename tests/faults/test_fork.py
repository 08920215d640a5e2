"""Forks at the worst moment."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.alone

PROGRAM = """
import os, threading, time
import clerestory

begun = []

class Slow:
    name, adopts = "slow", False

    def __init__(self):
        from clerestory.delivery.port import BatchLimits
        self.limits = BatchLimits()

    def send(self, batch):
        return None

    def close(self):
        pass

def start():
    begun.append(True)
    time.sleep(0.5)
    clerestory.configure(destinations=[Slow()])

from clerestory.delivery.road import ROAD
ROAD._make = start
log = clerestory.get_logger("fork")
first = threading.Thread(target=log.info, args=("from the thread that starts the road",))
first.start()
while not begun:
    time.sleep(0.01)
child = os.fork()
log.info("after the fork")
if child == 0:
    os._exit(0)
first.join()
print(os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_row_05_a_child_forked_while_a_thread_starts_the_road_is_not_stuck(tmp_path):
    """It would wait for a lock whose owner it does not have."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={"PATH": "", "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )

    assert done.stdout.strip() == "0", done.stderr
