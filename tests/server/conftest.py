"""One server for the tests that only add and search; each uses a service name of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.support.server import ServerProcess

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    with ServerProcess() as running:
        yield running


@pytest.fixture
def service() -> str:
    return f"service-{next(_numbers)}"
