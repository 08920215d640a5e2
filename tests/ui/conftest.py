"""One Chromium for the suite, one real server for a module, a fresh context for every test."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.server import ServerProcess
from tests.ui.records import calm, send

CHROMIUM = "/usr/bin/chromium"
DIST = Path(__file__).parents[2] / "src" / "clerestory" / "ui" / "dist"
# Without the background flags Chromium asks outside hosts at every start.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "page" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.browser)


def _need(path: Path, what: str) -> None:
    if path.exists():
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing: {path}")
    pytest.skip(f"{what} is missing, the page is NOT tested: {path}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium. While it runs this thread has an event loop, so it ends with these tests."""
    _need(Path(CHROMIUM), "Chromium (apt-get install chromium)")
    _need(DIST / "index.html", "the built page (npm ci && npm run build in web/)")
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield one
        one.close()


@pytest.fixture
def empty_server(browser: Browser) -> Iterator[ServerProcess]:
    with ServerProcess() as server:
        yield server


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[ServerProcess]:
    """A server with six hundred records of the last ten minutes."""
    with ServerProcess() as one:
        send(one, calm())
        yield one


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    one = browser.new_context(viewport={"width": 1280, "height": 800})
    yield one
    one.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose console must stay free of errors."""
    one = context.new_page()
    errors: list[str] = []
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    yield one
    # A server that a test has stopped leaves failed requests behind; those are no errors of ours.
    assert [
        text for text in errors if "ERR_CONNECTION" not in text and "WebSocket" not in text
    ] == []


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
    """Return the first true value of a condition, or fail after a time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"not within {timeout_s} s: {what}")
