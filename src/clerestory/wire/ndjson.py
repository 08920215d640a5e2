"""Records as JSON for receivers that ask for no form of their own.

    batch -> [ndjson] -> exchange

Each record has its time as ISO text and, at its end, what the lines of its spool have in common
(service, host, process) and its identity `_cid`, by which a record that came twice can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clerestory.wire.line import with_iso_time, with_members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_encode = msgspec.json.encode


def encode(records: Iterable[tuple[str, bytes]], resource: Mapping[str, Any]) -> list[bytes]:
    """Return one JSON object a record.

    Args:
        records: Identity and line of each.
        resource: What they have in common.
    """
    common = [(_encode(key), _encode(value)) for key, value in resource.items()]
    return [
        with_members(with_iso_time(line), [*common, (b'"_cid"', _encode(identity))])
        for identity, line in records
    ]
