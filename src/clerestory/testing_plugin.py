"""The pytest plugin: the fixture `clerestory_capture`, for users' own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerestory.testing import Capture


@pytest.fixture
def clerestory_capture() -> Iterator[Capture]:
    """Catch every record of a test, whatever its level."""
    from clerestory.testing import capture

    with capture() as caught:
        yield caught
