"""Programs that write files, and what tests of several processes need."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def popen(program, *arguments, out=None):
    with contextlib.ExitStack() as stack:
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdout=stack.enter_context(out.open("wb")) if out else subprocess.PIPE,
            stderr=None if out else subprocess.PIPE,
            text=True,
        )


def run(program, *arguments):
    process = popen(program, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
