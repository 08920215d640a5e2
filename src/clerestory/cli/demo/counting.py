"""True counts of the records that a demo program made.

    program -> [counting] -> <directory>/<program>.<pid>.count -> the demo's table

The number lives in a mapped file, so it is right whatever happens to the process, and there is
one file a process, so forked workers do not share a number.
"""

import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Final

DIRECTORY_VARIABLE: Final = "DEMO_COUNTS"
_NUMBER: Final = struct.Struct("<Q")


class Counter:
    """Counts the records of one program: `made()` behind each call."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._directory = directory
        self._lock = threading.Lock()
        self._pid = 0
        self._count = 0
        self._map: mmap.mmap | None = None

    @classmethod
    def from_environment(cls, program: str) -> "Counter":
        """Return a counter in the directory that the demo named."""
        return cls(program, Path(os.environ.get(DIRECTORY_VARIABLE, ".")))

    def __call__(self) -> None:
        """Count one record."""
        with self._lock:
            if self._map is None or self._pid != os.getpid():
                self._open()
            assert self._map is not None
            self._count += 1
            _NUMBER.pack_into(self._map, 0, self._count)

    def _open(self) -> None:
        self._pid, self._count = os.getpid(), 0
        path = self._directory / f"{self._program}.{self._pid}.count"
        with path.open("w+b") as file:
            file.write(_NUMBER.pack(0))
            file.flush()
            self._map = mmap.mmap(file.fileno(), _NUMBER.size)


def total(program: str, directory: Path) -> int:
    """Return how many records all processes of a program made."""
    files = directory.glob(f"{program}.*.count")
    numbers = (path.read_bytes() for path in files)
    return sum(_NUMBER.unpack(number)[0] for number in numbers if len(number) == _NUMBER.size)
