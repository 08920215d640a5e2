"""One embedded store for all tests of the language: a process can have only one at a time."""

from collections.abc import Iterator

import pytest

from tests.server.insights.store import Filled


@pytest.fixture(scope="package")
def filled() -> Iterator[Filled]:
    store = Filled()
    yield store
    store.close()
