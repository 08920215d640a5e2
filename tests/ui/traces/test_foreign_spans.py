"""Spans that want to be more than data: no script runs, the layout holds, all is told."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.records import HOSTILE_TEXT, KEYS
from tests.ui.traces.telling import Telling, tell

WIDTH = "document.documentElement.scrollWidth <= innerWidth"
SERVICE = "<b>evil\u202e</b>"
PAGES = ("/traces", "/traces/{id}?span={span}", "/map", "/map?view=table", "/sampling")


def foreign() -> Telling:
    one = Telling(time.time_ns() - 5 * 10**9 + 123)
    root = one.span(SERVICE, HOSTILE_TEXT, 0, 100, **KEYS, **{"span.kind": "server"})
    events: list[Any] = [{"name": HOSTILE_TEXT, "timestamp": "never", "attributes": KEYS}]
    one.span("y" * 5000, "x" * 100_000, -120_000, 5, root, **{
        "span.events": events,
        "span.links": [{"trace_id": "<svg onload=window.hacked=1>", "span_id": "\x00"}],
        "span.status": "error",
        "span.status_message": HOSTILE_TEXT,
    })  # fmt: skip
    parent = root
    for depth in range(60):
        parent = one.span(SERVICE, f"deep {depth}", depth, 1, parent)
    one.span(SERVICE, "an age", 0, 10**11, root)
    one.span(SERVICE, "called", 0, 1, root, **{
        "span.kind": "client", "peer.service": "<img src=x onerror='window.hacked=1'>",
    })  # fmt: skip
    one.log(SERVICE, root, 50, "ERROR", HOSTILE_TEXT)
    return one


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[ServerProcess]:
    with ServerProcess() as one:
        told = foreign()
        tell(one, told)
        one.trace_id = told.trace_id  # type: ignore[attr-defined]
        yield one


def open_page(page: Page, server: ServerProcess, place: str) -> None:
    trace_id = server.trace_id  # type: ignore[attr-defined]
    answer = page.goto(server.url + place.format(id=trace_id, span=f"{1:016x}"))
    assert answer
    assert "script-src 'self'" in (answer.header_value("content-security-policy") or "")
    page.wait_for_selector(
        ".traces-table tbody tr, .lanes .bar, .plate, .calls tbody tr, .rules tbody tr"
    )


@pytest.mark.parametrize("place", PAGES)
def test_nothing_of_a_span_runs_and_the_layout_holds(
    page: Page, server: ServerProcess, place: str
) -> None:
    open_page(page, server, place)

    shown = page.locator("body").inner_text()
    assert not any(char in shown for char in "\x1b\u202e\x00")
    assert page.evaluate(WIDTH)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('main b > b, main img, [onload]').length") == 0


def test_the_panel_of_a_foreign_span_tells_all_of_it(page: Page, server: ServerProcess) -> None:
    """Escapes instead of controls, what is cut says so, nanoseconds stay whole."""
    open_page(page, server, PAGES[1])
    heights = "[...document.querySelectorAll('.span-line')].map(one => one.offsetHeight)"
    assert set(page.evaluate(heights)) == {22}
    panel = page.locator(".span-panel")
    assert "\\e[31m" in panel.inner_text()
    assert "200 of 500, all in JSON" in panel.inner_text()
    page.click("#tab-JSON")
    span = server.get(f"/api/v1/traces/{server.trace_id}")["spans"][0]  # type: ignore[attr-defined]
    assert f'"ts": "{span["ts"]}"' in panel.locator("pre").inner_text()

    for view in ("tally", "span"):
        page.keyboard.press("v")
        page.wait_for_selector(f".{view}-sheet .sheet-row")
        assert set(page.evaluate(heights.replace("span-line", "sheet-row"))) == {22}
        assert "\\e[31m" in page.locator(".sheet .sel").inner_text()
        assert page.evaluate(WIDTH)
    page.click("#tab-Span")
    page.click(".sheet-row:has-text('xxxx')")
    wait_for(lambda: "clocks" in panel.inner_text(), "the other span")
    for tab in ("Logs", "Process", "Links", "JSON", "Span"):
        page.click(f"#tab-{tab}")
        assert page.evaluate(WIDTH)
    assert "Starts 2 m before its parent" in panel.inner_text()
    assert page.evaluate("window.hacked") is None


@pytest.mark.browser
@pytest.mark.parametrize("place", ["/traces", "/traces/{id}", "/map", "/sampling"])
def test_narrow_and_enlarged_windows_stay_usable(
    context: BrowserContext, server: ServerProcess, place: str
) -> None:
    """360 px is a phone; 720 x 450 is a laptop's window at 200 %."""
    page = context.new_page()
    for width, height in ((360, 740), (720, 450)):
        page.set_viewport_size({"width": width, "height": height})
        open_page(page, server, place)
        assert page.evaluate(WIDTH)
        _use(page, place)


def _use(page: Page, place: str) -> None:
    """Do what one does first on a page."""
    if place == "/traces":
        page.click(".traces-table tbody a >> nth=0")
        page.wait_for_selector(".lanes .bar")
    elif place == "/map":
        page.locator(".map-table tbody button").first.click()
        page.wait_for_selector(".node-panel")
        page.click(".panel button[aria-label=Close]")
    elif place == "/sampling":
        page.click("text=New group")
        page.fill("#GroupName", "narrow")
        page.keyboard.press("Escape")
    else:
        page.locator(".span-line").first.click()
        page.wait_for_selector(".span-panel .tab-body", state="visible")
        assert page.evaluate(WIDTH)
        page.click(".panel button[aria-label=Close]")
        wait_for(lambda: page.locator(".span-panel").count() == 0, "the panel closes")
