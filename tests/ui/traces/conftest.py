"""One server for all tests of the pages of traces: starting it costs more than most tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.server import ServerProcess
from tests.ui.traces.telling import request, story, tell


@pytest.fixture(scope="package")
def server(browser: Browser) -> Iterator[ServerProcess]:
    """A server with 120 requests of the last ten minutes, of older ones, and with the story."""
    with ServerProcess() as one:
        recent = [
            request(n, age_s=590 - n * 4.5, ms=20 + n, failed=n % 10 == 0) for n in range(120)
        ]
        before = [request(n, age_s=3600 + n, ms=40) for n in range(40)]
        tell(one, *recent, *before, story())
        yield one
