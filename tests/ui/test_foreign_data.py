"""Records that want to be more than data: no script runs, the layout holds, all is told."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.server import ServerProcess
from tests.ui.records import hostile, send

ROWS = "[...document.querySelectorAll('.rows .row')]"
WIDTH = "document.documentElement.scrollWidth <= innerWidth"


def soon() -> int:
    """Ten minutes from now, in milliseconds: one record is from the future."""
    return int(time.time() * 1000) + 600_000


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[ServerProcess]:
    with ServerProcess() as one:
        send(one, hostile(), "\u202eevil<b>")
        yield one


def test_no_record_runs_and_the_layout_holds(page: Page, server: ServerProcess) -> None:
    answer = page.goto(f"{server.url}/logs?live=0&from=-1h&to={soon()}")
    page.wait_for_selector(".rows .row")

    assert answer
    assert "script-src 'self'" in (answer.header_value("content-security-policy") or "")
    assert page.locator(".rows .row").count() == len(hostile())
    longest = page.evaluate(f"Math.max(...{ROWS}.map(row => row.textContent.length))")
    assert longest < 4000
    heights = page.evaluate(f"{ROWS}.map(row => row.getBoundingClientRect().height)")
    assert set(heights) == {22}
    shown = "".join(page.locator(".rows .row").all_inner_texts())
    assert "\\e[31m" in shown
    assert "\\u202e" in shown
    assert "\\0" in shown
    assert not any(char in shown for char in "\x1b\u202e\x00")
    for index in range(len(hostile())):
        page.locator(".rows .row").nth(index).click()
        page.wait_for_selector(".panel .tab-body")
        for tab in ("JSON", "Context", "Fields"):
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(30)
            assert page.evaluate(WIDTH)
    assert page.evaluate("window.hacked") is None
    assert (
        page.evaluate("document.querySelectorAll('.rows b, .panel img, .panel svg[onload]').length")
        == 0
    )


def test_nanoseconds_are_told_to_the_last_digit(page: Page, server: ServerProcess) -> None:
    row = server.rows("deep")[0]
    page.goto(f"{server.url}/logs?q=deep&sel={row['id']}")
    page.wait_for_selector(".panel header .mono")

    tail = f"{row['ts'][-6:-3]} {row['ts'][-3:]}"

    assert page.locator(".panel header .mono").inner_text().endswith(tail)


@pytest.mark.parametrize(("width", "height"), [(360, 740), (720, 450)])
def test_narrow_and_enlarged_windows_stay_usable(
    context: BrowserContext, server: ServerProcess, width: int, height: int
) -> None:
    """360 px is a phone; 720 x 450 is a laptop's window at 200 %."""
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server.url}/logs?live=0&from=-1h&to={soon()}")
    page.wait_for_selector(".rows .row")

    assert page.evaluate(WIDTH)
    page.click(".drawers button:has-text('Facets')")
    page.wait_for_selector(".facets .value", state="visible")
    page.keyboard.press("Escape")
    page.locator(".rows .row").first.click()
    page.wait_for_selector(".panel .tab-body", state="visible")
    page.click(".panel button[aria-label=Close]")
    assert page.locator("#search").is_visible()
