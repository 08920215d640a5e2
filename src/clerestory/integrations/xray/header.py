"""The header `X-Amzn-Trace-Id`, with all that it may say.

    request ~~> [header] -> segment -> [header] ~~> answer

https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader

Invariant: what is not understood is as if it were not there; nothing is raised.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "X-Amzn-Trace-Id"
_PROXIED: Final = "HTTP_X_AMZN_TRACE_ID"
_CHARS_MAX: Final = 2048
_DATA_MAX: Final = 20
_ROOT: Final = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_PARENT: Final = re.compile(r"[0-9a-f]{16}")
_PLAIN: Final = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]{1,256}")


class TraceHeader:
    """What a header says.

    Args:
        root: Trace id, `1-` and 8 and 24 hex digits; anything else is as if it were not given.
        parent: Id of the segment that asks, 16 hex digits.
        sampled: 1 or True, 0 or False, or `?` for "decide, and say how in the answer".
        data: What else it says.

    Attributes:
        root: See above; None if it is not known.
        parent: See above; None if it is not known.
        sampled: 1, 0, `?`, or None if it is not known.
        data: See above.
    """

    def __init__(
        self,
        root: str | None = None,
        parent: str | None = None,
        sampled: object = None,
        data: Mapping[str, str] | None = None,
    ) -> None:
        self.root = _fitting(_ROOT, root)
        self.parent = _fitting(_PARENT, parent)
        known: dict[object, int | str] = {"1": 1, 1: 1, "0": 0, 0: 0, "?": "?"}
        self.sampled = known.get(sampled) if isinstance(sampled, str | int) else None
        self.data = dict(data or {})

    @classmethod
    def from_header_str(cls, header: str | None) -> TraceHeader:
        """Return what the text of a header says.

        >>> TraceHeader.from_header_str("Parent=53995c3f42cd8ad8;Sampled=?").sampled
        '?'
        """
        told: dict[str, str] = {}
        for part in (header or "")[:_CHARS_MAX].split(";"):
            name, equals, value = part.strip().partition("=")
            if equals and len(told) < _DATA_MAX:
                told.setdefault(name, value)
        named = {name: told.pop(name, None) for name in ("Root", "Parent", "Sampled")}
        told.pop("Self", None)  # of a load balancer, which is no caller
        data = {k: v for k, v in told.items() if _PLAIN.fullmatch(k) and _PLAIN.fullmatch(v)}
        return cls(named["Root"], named["Parent"], named["Sampled"], data)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> TraceHeader:
        """Return what the headers of a request say."""
        return cls.from_header_str(headers.get(NAME) or headers.get(_PROXIED))

    def to_header_str(self) -> str:
        """Return the text of the header."""
        parts = {"Root": self.root, "Parent": self.parent}
        told = [f"{name}={value}" for name, value in parts.items() if value]
        told += [] if self.sampled is None else [f"Sampled={self.sampled}"]
        return ";".join([*told, *(f"{name}={value}" for name, value in self.data.items())])


def _fitting(form: re.Pattern[str], text: object) -> str | None:
    if not isinstance(text, str):
        return None
    found = form.fullmatch(text.strip().lower())
    return found[0] if found else None
