"""One server a data directory: the lock that says who has it.

    run -> [lock] -> store

Invariant: the lock is taken before the store is opened and dies with its process, so it is never
stale; the engine itself would only answer "bad arguments".
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from clerestory.model.errors import DataDirectoryInUseError


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold a data directory while the block runs.

    Raises:
        DataDirectoryInUseError: Another process holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "LOCK"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataDirectoryInUseError(_told(path, data_dir)) from error
        started = datetime.now(UTC).isoformat(timespec="seconds")
        content = json.dumps({"pid": os.getpid(), "started": started}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
        yield
    finally:
        os.close(descriptor)


def _told(path: Path, data_dir: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']}, started {holder['started']},"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return (
        f"{who} has the data directory {data_dir} open, and only one server can; "
        "use the server that runs (its address is in the file `address` there), stop it, "
        "or choose another directory with --data-dir"
    )
