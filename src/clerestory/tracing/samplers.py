"""Which traces are recorded.

    span -> [samplers] -> line

Names and meanings are OpenTelemetry's: https://opentelemetry.io/docs/specs/otel/trace/sdk/.

Invariant: the decision of a trace depends on its id alone, so every process of it decides alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.model.spans import SpanContext

NAMES: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
_PARENT: Final = "parentbased_"
_RANDOM_BITS: Final = 1 << 64


class Sampler:
    """Decides when a trace begins, and when one from elsewhere is continued.

    Args:
        name: One of `NAMES`.
        ratio: Share of the traces that is recorded, 0 to 1; for the names that end in `ratio`.

    >>> Sampler("traceidratio", 0.25).decides("0" * 16 + "3fffffffffffffff", None)
    True
    >>> Sampler("traceidratio", 0.25).decides("0" * 16 + "4000000000000000", None)
    False
    """

    __slots__ = ("_decides", "follows_parent")

    def __init__(self, name: str = NAMES[3], ratio: float = 1.0) -> None:
        self.follows_parent = name.startswith(_PARENT)
        self._decides = _root_decision(name.removeprefix(_PARENT), ratio)

    def decides(self, trace_id: str, parent: SpanContext | None, span: Any = None) -> bool:  # noqa: ARG002
        """Say whether the spans of a trace are recorded.

        Args:
            trace_id: 32 hex digits.
            parent: The span that is continued; None for a root.
            span: The root; nothing that it says matters.
        """
        if parent is not None and self.follows_parent:
            return parent.sampled
        return self._decides(trace_id)


def _root_decision(name: str, ratio: float) -> Callable[[str], bool]:
    if name == "traceidratio":
        # As in OpenTelemetry's SDKs: the low 64 bits of the id, which are random in all forms.
        bound = round(max(0.0, min(1.0, ratio)) * _RANDOM_BITS)
        return lambda trace_id: int(trace_id[16:], 16) < bound
    recorded = name == "always_on"
    return lambda _trace_id: recorded
