"""Captures the logs of a program that `clerestory run` starts, without an edit to it.

    python -> site -> [sitecustomize] -> clerestory.configure()

Python imports the first `sitecustomize` on its path. `clerestory run` puts this folder first, so
the one that would have been found otherwise is run from here.

Invariant: whatever fails in here, the program runs as if it were not there.
"""

# ruff: noqa: INP001 a folder on PYTHONPATH, not a package
import importlib.machinery
import importlib.util
import os
import sys


def _run_the_other() -> None:
    """Run the `sitecustomize` that this file hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 starts every program
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _configure() -> None:
    if os.environ.get("CLERESTORY_AUTOSTART") != "1":
        return
    try:
        import clerestory

        clerestory.configure()
    except Exception as error:  # The wall between us and a program that did not ask for us.
        sys.stderr.write(f"clerestory: the program's logs are not captured: {error}\n")


try:
    _run_the_other()
finally:
    _configure()
