"""Destinations that are closed when the test ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def made() -> Iterator[Callable[..., Any]]:
    """Make a destination: `made(Http, config)`."""
    found: list[Any] = []

    def make(kind: Any, *arguments: Any, **more: Any) -> Any:
        found.append(kind(*arguments, **more))
        return found[-1]

    yield make
    for one in found:
        one.close()
