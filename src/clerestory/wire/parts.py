"""How many encoded records one request takes.

    batch -> services, syslog -> [parts] -> exchange

Invariant: a cut depends on the records alone, so that a batch that comes again is cut again in
the same places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def count_fitting(
    objects: Sequence[bytes], *, bytes_max: int, count_max: int, frame_bytes: int = 1
) -> int:
    """Return how many from the front fit into a request, at least 1.

    Args:
        objects: Encoded records.
        bytes_max: Largest request.
        count_max: Most records in it.
        frame_bytes: What each record needs beside itself, such as a comma.

    >>> count_fitting([b"12", b"34", b"56"], bytes_max=6, count_max=9)
    2
    """
    size = 0
    for count, one in enumerate(objects[:count_max]):
        size += len(one) + frame_bytes
        if size > bytes_max:
            return max(1, count)
    return max(1, min(len(objects), count_max))


def taken_lines(records: Sequence[tuple[int, bytes]], sent: int, lines: int) -> int:
    """Return how many lines of a batch are settled when so many of its records were sent.

    Args:
        records: Index in the batch and line of each.
        sent: How many of them were sent.
        lines: How many lines the batch has, the empty ones included.

    >>> taken_lines([(0, b"a"), (2, b"b")], 1, 3), taken_lines([(0, b"a"), (2, b"b")], 2, 3)
    (2, 3)
    """
    return lines if sent >= len(records) else records[sent][0]
