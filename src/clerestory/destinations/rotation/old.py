"""The old files beside a file that rotates: their names, their order, their compression.

    app.log.1, app.log.2.gz, app.log.2026-11-21, app.log.2026-11-21.1.gz, ...  <- [old]

Invariant: a compression that is killed leaves the plain file whole.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

UNFINISHED: Final = ".gz.new"
_NAME: Final = re.compile(
    r"(?:(?P<number>[1-9]\d{0,8})"
    r"|(?P<period>\d{4}-(?:W\d\d|\d\d(?:-\d\d(?:T\d\d)?)?))(?:\.(?P<part>\d{1,9}))?)"
    r"(?P<gz>\.gz)?"
)


class OldFile(NamedTuple):
    """An old file; the natural order is newest first.

    Attributes:
        age_ns: Negative time of its last line, nanoseconds.
        rank: Its number, or its negative part: decides between equal times.
        path: Where it is.
        size: In bytes.
        number: 0 for one that bears the name of its period.
        period: The name of its period, empty for one with a number.
        part: Which one of its period, from 0.
        gz: Whether it is compressed.
    """

    age_ns: int
    rank: int
    path: Path
    size: int
    number: int
    period: str
    part: int
    gz: bool

    @property
    def time_s(self) -> float:
        """When its last line was written, seconds since the epoch."""
        return -self.age_ns / 1e9


def old_files(path: Path) -> list[OldFile]:
    """Return the old files of the file at a path, newest first."""
    found = []
    for beside, ending in _beside(path):
        match = _NAME.fullmatch(ending)
        if match is None:
            continue
        try:
            found.append(_old_file(beside, match, beside.stat()))
        except FileNotFoundError:
            continue
    return sorted(found)


def leftovers(path: Path) -> list[Path]:
    """Return what a killed process left beside the file at a path.

    Compressions that were not finished, and plain files whose compressed form is complete.
    """
    endings = {ending: beside for beside, ending in _beside(path)}
    return [
        beside
        for ending, beside in endings.items()
        if (ending.endswith(UNFINISHED) and _NAME.fullmatch(ending.removesuffix(".new")))
        or (_NAME.fullmatch(ending) and f"{ending}.gz" in endings)
    ]


def _beside(path: Path) -> list[tuple[Path, str]]:
    prefix = f"{path.name}."
    with os.scandir(path.parent) as entries:
        return [
            (Path(entry.path), entry.name[len(prefix) :])
            for entry in entries
            if entry.name.startswith(prefix)
        ]


def rename_up(path: Path, old: list[OldFile]) -> None:
    """Rename `.1` to `.2` and so on, as far as the first number that is free."""
    taken = {one.number: one for one in old if one.number}
    free = 1
    while free in taken:
        free += 1
    for number in range(free - 1, 0, -1):
        one = taken[number]
        one.path.rename(f"{path}.{number + 1}" + (".gz" if one.gz else ""))


def _old_file(path: Path, match: re.Match[str], facts: os.stat_result) -> OldFile:
    number, part = int(match["number"] or 0), int(match["part"] or 0)
    return OldFile(
        age_ns=-facts.st_mtime_ns,
        rank=number or -part,
        path=path,
        size=facts.st_size,
        number=number,
        period=match["period"] or "",
        part=part,
        gz=match["gz"] is not None,
    )


def compress(path: Path) -> None:
    """Replace a file by its compressed form; killed anywhere, one of the two is whole."""
    unfinished = Path(f"{path}{UNFINISHED}")
    facts = path.stat()
    with path.open("rb") as source, unfinished.open("wb") as sink:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink) as packer:
            shutil.copyfileobj(source, packer, 1024 * 1024)
        sink.flush()
        os.fsync(sink.fileno())
    shutil.copymode(path, unfinished)
    os.utime(unfinished, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    unfinished.rename(f"{path}.gz")
    path.unlink()
