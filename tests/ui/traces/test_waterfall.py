"""The page of one trace against a real server: order, keys, critical path, records, clocks."""

import time
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import MS, STORY, Telling, lines, params, path, tell


def open_story(page: Page, server: ServerProcess, query: str = "") -> None:
    page.goto(f"{server.url}/traces/{STORY}{query}")
    page.wait_for_selector(".lanes .bar")


def marks(page: Page, name: str) -> list[str]:
    """Return what stands in the lanes of the lines that carry a class."""
    return page.locator(f".lanes .{name}").all_text_contents()


def test_spans_and_their_records_stand_in_the_order_of_time(
    page: Page, server: ServerProcess
) -> None:
    """Children follow their parent; a record stands between them where it was written."""
    open_story(page, server)

    assert lines(page) == [
        "POST /checkout", "order", "SELECT cart", "capture", "POST /v2/captures",
        "gateway slow, attempt 1 of 3", "POST /v2/captures", "gateway slow, attempt 2 of 3",
        "capture failed", "mail", "smtp", "lost child",
    ]  # fmt: skip
    page.click("button:has-text('All logs')")
    wait_for(lambda: lines(page)[2] == "order begun", "every record")
    page.click("button:has-text('No logs')")
    wait_for(lambda: "capture failed" not in lines(page), "no record")
    assert page.locator(".lanes .tick").count() == 4


def test_the_critical_path_sums_to_the_roots_duration(page: Page, server: ServerProcess) -> None:
    """To the nanosecond; the key p takes the line away and brings it back."""
    open_story(page, server)
    root = next(one for one in server.get(f"/api/v1/traces/{STORY}")["spans"] if one["depth"] == 0)

    assert int(page.locator(".shares").get_attribute("data-sum-ns") or 0) == root["duration_ns"]
    assert page.locator(".lanes path.critical").count() == 1
    page.keyboard.press("p")
    wait_for(lambda: page.locator(".lanes path.critical").count() == 0, "no critical path")
    page.keyboard.press("p")
    wait_for(lambda: page.locator(".lanes path.critical").count() == 1, "the critical path")


def test_what_is_odd_is_marked_and_said(page: Page, server: ServerProcess) -> None:
    """Errors, clocks that differ, a parent that is not stored: by shape and by words."""
    open_story(page, server)

    assert page.locator(".span-line [aria-label=failed]").count() == 5
    assert "starts 8 ms before its parent, clocks differ" in marks(page, "said")
    assert "its parent is not stored" in marks(page, "said")
    assert page.locator(".lanes .skew").count() == 1
    assert page.locator("text=5 failed").count() == 1


def test_keys_walk_fold_zoom_and_leave(page: Page, server: ServerProcess) -> None:
    open_story(page, server)
    count = len(lines(page))
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator(".span-line.focus .op").inner_text() == "capture"

    page.keyboard.press("ArrowLeft")
    wait_for(lambda: len(lines(page)) == count - 5, "a fold")
    assert page.locator(".span-line.focus").get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    wait_for(lambda: len(lines(page)) == count, "no fold")
    page.keyboard.press("z")
    wait_for(lambda: page.locator(".trace-band .edges").count() == 1, "the zoom")
    width = float(page.locator(".bar rect").nth(3).get_attribute("width") or 0)
    assert width > 0.85 * float(page.locator("svg.lanes").get_attribute("width") or 0)
    page.keyboard.press("Enter")
    page.wait_for_selector(".span-panel h2:has-text('capture')")
    page.keyboard.press("e")
    page.wait_for_selector(".span-panel h2:has-text('POST /v2/captures')")
    for left in (".span-panel", ".trace-band .edges"):
        page.keyboard.press("Escape")
        page.wait_for_selector(left, state="detached")
    page.keyboard.press("Escape")
    wait_for(lambda: path(page) == "/traces", "the list")


def test_a_log_leads_to_its_trace_and_back_by_one_key_each(
    page: Page, server: ServerProcess
) -> None:
    """The record is marked in the trace, and stands in the same list as before on the way back."""
    row = server.rows("message:failed service:payments")[0]
    page.goto(f"{server.url}/logs?q=level>=warn&live=0&sel={row['id']}")
    page.wait_for_selector(".panel .strip")
    before = page.locator(".rows .row").count()

    page.keyboard.press("t")
    page.wait_for_selector(".span-line.marked")
    assert path(page) == f"/traces/{STORY}"
    assert page.locator(".span-line.marked").inner_text().strip() == "capture failed"
    assert params(page)["span"] == row["span_id"]

    page.keyboard.press("t")
    page.wait_for_selector(".rows .row.sel")
    assert params(page)["sel"] == row["id"]
    assert params(page)["q"] == "level>=warn"
    assert "capture failed" in page.locator(".rows .row.sel").inner_text()
    assert page.locator(".rows .row").count() == before


def test_a_span_leads_to_its_own_records(page: Page, server: ServerProcess) -> None:
    open_story(page, server)
    page.click(".span-line:has-text('capture') >> nth=0")
    page.wait_for_selector(".span-panel")

    page.keyboard.press("l")
    wait_for(lambda: page.locator(".rows .row").count() == 3, "the records of the span")

    assert params(page)["q"].startswith(f"trace:{STORY} span:")


def test_the_panel_tells_all_and_filters_by_a_value(page: Page, server: ServerProcess) -> None:
    """The exception with its stack, attributes, link, process, JSON; = leads to traces alike."""
    open_story(page, server)
    page.click(".span-line:has-text('capture') >> nth=0")
    panel = page.locator(".span-panel")
    panel.locator(".tree .n", has_text="order").wait_for()

    text = panel.inner_text()
    for said in ("FAILED", "GatewayTimeout", "no answer, attempt 3 of 3", 'File "gateway.py"'):
        assert said in text
    assert "88417" in text
    assert panel.locator(".context .row").count() == 3
    page.click("#tab-Process")
    assert "box-3" in panel.locator(".tab-body").inner_text()
    page.click("#tab-Links")
    assert panel.locator("a.mono").get_attribute("href") == f"./traces/{'ab' * 16}?span={'cd' * 8}"
    page.click("#tab-JSON")
    assert '"currency": "EUR"' in panel.locator("pre").inner_text()
    page.click("#tab-Span")
    panel.locator(".tree .n", has_text="currency").hover()
    page.click("button[aria-label='Only currency with this value']")
    wait_for(lambda: path(page) == "/traces", "the list")
    assert params(page)["q"] == "currency:EUR"
    wait_for(lambda: page.locator(f"#trace-{STORY}").count() == 1, "the trace")


def test_a_span_stands_against_what_is_usual(page: Page, server: ServerProcess) -> None:
    """The hours before the trace, the trace itself left out."""
    open_story(page, server)
    page.wait_for_selector(".marks .excess")
    page.click(".span-line:has-text('capture') >> nth=0")
    page.wait_for_selector(".against .spread")
    usual = server.get(f"/api/v1/traces/{STORY}/usual")["usual"]
    known = next(one for one in usual if one["service"] == "payments")

    assert f"{known['count']} in" in page.locator(".against h3").inner_text().replace(",", "")
    assert page.locator(".against svg").get_attribute("aria-label")


def test_an_open_span_grows_until_its_end_arrives(page: Page, server: ServerProcess) -> None:
    """It is visible before it ends, and nothing has to be loaded anew."""
    one = Telling(time.time_ns() - 400 * MS)
    pending: dict[str, Any] = {"span.pending": True}
    root = one.span("batch", "night run", 0, 0, **pending)
    tell(server, one)
    page.goto(f"{server.url}/traces/{one.trace_id}")
    page.wait_for_selector(".bar.open .moving", state="attached")
    assert "still running" in marks(page, "said")
    place = "document.querySelector('.bar.open .moving').getAttribute('d')"
    first = page.evaluate(place)
    wait_for(lambda: page.evaluate(place) != first, "the end moves")
    page.click(".views button:has-text('Table')")
    page.wait_for_selector(".sheet-row .state:has-text('running')")
    took = page.locator(".sheet-row .took")
    shown = took.inner_text()
    wait_for(lambda: took.inner_text() != shown, "it grows in the table, too")

    done = Telling(one.start_ns, one.trace_id)
    done.span("batch", "night run", 0, 900)
    done.span("batch", "step", 100, 200, root)
    tell(server, done)

    page.wait_for_selector(".sheet-row:has-text('900 ms'):has-text('ended')")
    page.keyboard.press("v")
    wait_for(lambda: lines(page) == ["night run", "step"], "what has arrived since")
    assert page.locator(".bar.open").count() == 0
    assert "900 ms" in page.locator(".span-line").first.inner_text()


def test_records_without_a_stored_span_are_shown(page: Page, server: ServerProcess) -> None:
    one = Telling(time.time_ns())
    one.log("shop", "00000000000000aa", 0, "INFO", "alone")
    tell(server, one)
    row = server.rows("message:alone")[0]

    page.goto(f"{server.url}/traces/{one.trace_id}?log={row['id']}")
    page.wait_for_selector(".span-line.marked")

    assert lines(page) == ["alone"]
    assert "No span of this trace is stored" in page.locator(".fall-side").inner_text()


@pytest.mark.browser
def test_a_trace_that_comes_late_is_shown_when_it_comes(
    context: BrowserContext, server: ServerProcess
) -> None:
    """Whoever follows a link from a program may be faster than the program's spans."""
    # The browser writes of every refused request into its console, so none is kept clean here.
    page = context.new_page()
    one = Telling(time.time_ns())
    one.span("shop", "late", 0, 5)
    page.goto(f"{server.url}/traces/{one.trace_id}")
    page.wait_for_selector(".fall-side .note.lv-error")
    assert "no span and no record has the trace id" in page.locator(".fall-side").inner_text()

    tell(server, one)

    wait_for(lambda: lines(page) == ["late"], "the trace")
    assert page.locator(".note.lv-error").count() == 0


def test_a_trace_is_the_same_in_a_fresh_browser(page: Page, server: ServerProcess) -> None:
    """The address holds which span is open; X-Ray's form of the id leads there, too."""
    open_story(page, server)
    page.click(".span-line:has-text('order') >> nth=0")
    page.wait_for_selector(".span-panel")
    url = page.url.replace(STORY, f"1-{STORY[:8]}-{STORY[8:]}")

    page.goto(url)
    page.wait_for_selector(".span-panel h2")

    assert page.locator(".span-panel h2").inner_text() == "order"
    assert lines(page)[0] == "POST /checkout"
