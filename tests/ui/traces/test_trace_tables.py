"""The two further views of a trace, By service and Table, against a real server."""

import time

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import STORY, Telling, params, path, tell

CAPTURE = "0000000000000004"
START_ORDER = [
    "POST /checkout", "order", "SELECT cart", "lost child", "capture", "POST /v2/captures",
    "POST /v2/captures", "smtp", "mail",
]  # fmt: skip


def open_story(page: Page, server: ServerProcess, query: str) -> None:
    page.goto(f"{server.url}/traces/{STORY}?{query}")
    page.wait_for_selector(".sheet-row")


def cells(page: Page, *names: str) -> list[tuple[str, ...]]:
    """Return what the rows on screen say in some of their cells, top to bottom."""
    found: list[list[str]] = page.evaluate(
        """names => [...document.querySelectorAll('.sheet-row')]
        .sort((a, b) => a.dataset.index - b.dataset.index)
        .map(row => names.map(name => row.querySelector('.' + name).innerText.trim()))""",
        list(names),
    )
    return [tuple(row) for row in found]


def spans(page: Page) -> list[str]:
    """Return the names of the spans in the table, top to bottom."""
    return [name for (name,) in cells(page, "what .mono")]


def pressed(page: Page) -> str:
    """Return the view that the page says it shows."""
    return page.locator(".views [aria-pressed=true]").inner_text()


def test_the_view_stands_in_the_address_and_survives_reload_and_back(
    page: Page, server: ServerProcess
) -> None:
    """The waterfall is what one sees first; keys lead through the views and around."""
    page.goto(f"{server.url}/traces/{STORY}")
    page.wait_for_selector(".lanes .bar")
    assert pressed(page) == "Waterfall"

    page.click(".views button:has-text('By service')")
    page.wait_for_selector(".tally-sheet .sheet-row")
    page.keyboard.press("v")
    page.wait_for_selector(".span-sheet .sheet-row")
    assert params(page) == {"view": "table"}
    page.reload()
    page.wait_for_selector(".span-sheet .sheet-row")
    assert pressed(page) == "Table"
    page.go_back()
    page.wait_for_selector(".tally-sheet .sheet-row")
    page.go_back()
    page.wait_for_selector(".lanes .bar")
    assert params(page) == {}
    page.keyboard.press("Shift+V")
    page.wait_for_selector(".span-sheet .sheet-row")
    page.keyboard.press("v")
    page.wait_for_selector(".lanes .bar")


def test_by_service_tells_spans_failures_total_self_time_and_share(
    page: Page, server: ServerProcess
) -> None:
    """Of `order`, 2,813 ms, the cart, the capture and the mail within the capture cover 2,516."""
    open_story(page, server, "view=services")

    assert cells(page, "what .cut", "spans-of", "errors", "total", "self", "share") == [
        ("card-gateway", "2", "2", "1.6 s", "1.6 s", "55 %"),
        ("POST /v2/captures", "2", "2", "1.6 s", "1.6 s", "55 %"),
        ("payments", "1", "1", "2.43 s", "828 ms", "28 %"),
        ("capture", "1", "1", "2.43 s", "828 ms", "28 %"),
        ("checkout", "2", "1", "2.9 s", "385 ms", "13 %"),
        ("order", "1", "1", "2.81 s", "297 ms", "10 %"),
        ("SELECT cart", "1", "0", "88 ms", "88 ms", "3.0 %"),
        ("audit", "1", "0", "50 ms", "50 ms", "1.7 %"),
        ("lost child", "1", "0", "50 ms", "50 ms", "1.7 %"),
        ("worker", "2", "0", "32 ms", "28 ms", "1.0 %"),
        ("mail", "1", "0", "20 ms", "16 ms", "0.5 %"),
        ("smtp", "1", "0", "12 ms", "12 ms", "0.4 %"),
        ("shop-web", "1", "1", "2.84 s", "27 ms", "0.9 %"),
        ("POST /checkout", "1", "1", "2.84 s", "27 ms", "0.9 %"),
    ]
    track = page.locator(".track").first.bounding_box()
    bar = page.locator(".track i").first.bounding_box()
    assert track
    assert bar
    assert bar["width"] / track["width"] == pytest.approx(0.55, abs=0.01)


def test_a_line_of_by_service_lists_its_spans_in_the_table(
    page: Page, server: ServerProcess
) -> None:
    """The address holds which; one step wider is the service, then the trace, Back leads back."""
    open_story(page, server, "view=services")
    page.click(".sheet-row:has-text('SELECT cart')")
    wait_for(lambda: spans(page) == ["SELECT cart"], "the spans of the operation")
    assert params(page)["view"] == "table"
    page.reload()
    page.wait_for_selector(".sheet-row")
    assert spans(page) == ["SELECT cart"]
    assert page.locator(".sheet-tools [role=status]").inner_text() == "1 of 9 spans"

    page.click("button[aria-label='Not only this operation']")
    wait_for(lambda: spans(page) == ["order", "SELECT cart"], "the spans of the service")
    page.click("button[aria-label='Not only this service']")
    wait_for(lambda: spans(page) == START_ORDER, "every span")
    for _ in range(3):
        page.go_back()
    page.wait_for_selector(".tally-sheet .sheet-row")


def test_keys_walk_fold_and_open_by_service(page: Page, server: ServerProcess) -> None:
    open_story(page, server, "view=services")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: len(cells(page, "what")) == 13, "a fold")
    focus = page.locator(".sheet-row.focus")
    assert focus.get_attribute("aria-expanded") == "false"
    assert "payments" in focus.inner_text()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: len(cells(page, "what")) == 14, "no fold")
    page.keyboard.press("ArrowRight")
    wait_for(lambda: "capture" in focus.inner_text(), "the operation")
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: "payments" in focus.inner_text(), "its service")
    page.keyboard.press("e")
    wait_for(lambda: "capture" in focus.inner_text(), "the next failure")

    page.keyboard.press("Enter")

    wait_for(lambda: spans(page) == ["capture"], "its spans")
    page.keyboard.press("Escape")
    wait_for(lambda: spans(page) == START_ORDER, "every span")
    page.keyboard.press("Escape")
    wait_for(lambda: path(page) == "/traces", "the list")


def test_the_table_tells_each_span_and_orders_by_each_column(
    page: Page, server: ServerProcess
) -> None:
    open_story(page, server, "view=table")
    names = ("what .mono", "service", "kind", "start", "took", "self", "status-word")
    told = cells(page, *names)
    assert [row[0] for row in told] == START_ORDER
    capture = ("capture", "payments", "server", "+406 ms", "2.43 s", "828 ms", "failed")
    assert told[4] == capture
    assert told[2][-1] == "ended"
    assert page.locator(".sheet-row [aria-label='its parent is not stored']").count() == 1

    firsts = {
        "self time": "capture", "duration": "POST /checkout", "status": "POST /checkout",
        "span": "POST /checkout", "service": "lost child", "kind": "SELECT cart", "start": "mail",
    }  # fmt: skip
    for column, first in firsts.items():
        if column == "start":
            page.click(".sheet-head .sort:has-text('start')")
        page.click(f".sheet-head .sort >> text=/^{column}$|^{column} /")
        page.wait_for_selector(f"[data-index='0']:has-text('{first}')")
        sorted_by = page.locator(".sheet-head [aria-sort$=scending]").inner_text()
        assert sorted_by.startswith(column)
    assert params(page)["order"] == "-start"
    page.reload()
    page.wait_for_selector(".sheet-row")
    assert spans(page) == START_ORDER[::-1]


def test_words_filter_the_table(page: Page, server: ServerProcess) -> None:
    """Each word must stand somewhere in a span; nothing found says so and shows the way out."""
    open_story(page, server, "view=table")
    field = page.locator(".sheet-tools input")

    field.fill("ERROR captures")
    wait_for(lambda: spans(page) == ["POST /v2/captures"] * 2, "what matches")
    page.reload()
    page.wait_for_selector(".sheet-row")
    assert field.input_value() == "ERROR captures"
    field.fill("<b>nobody</b>")
    page.wait_for_selector(".sheet-empty:has-text('No span matches')")
    page.click("text=Show all 9")
    wait_for(lambda: spans(page) == START_ORDER, "every span")
    assert field.input_value() == ""


def test_the_span_that_is_open_stays_open_in_every_view(page: Page, server: ServerProcess) -> None:
    """A row opens the panel of the waterfall; views and reload keep it, and the row in view."""
    open_story(page, server, "view=table")
    page.click(".sheet-row:has-text('capture') >> nth=0")
    title = page.locator(".span-panel h2")
    wait_for(lambda: title.inner_text() == "capture", "the panel")
    assert "GatewayTimeout" in page.locator(".span-panel").inner_text()

    page.keyboard.press("v")
    page.wait_for_selector(".span-line.sel.focus:has-text('capture')")
    page.keyboard.press("v")
    page.wait_for_selector(".tally-sheet .sheet-row.sel.focus:has-text('capture')")
    page.reload()
    page.wait_for_selector(".tally-sheet .sheet-row.sel.focus:has-text('capture')")
    page.keyboard.press("v")
    page.wait_for_selector(".span-sheet .sheet-row.sel.focus:has-text('capture')")
    page.keyboard.press("ArrowDown")
    wait_for(lambda: title.inner_text() == "POST /v2/captures", "the panel goes along")
    page.reload()
    page.wait_for_selector(".sheet-row.sel.focus:has-text('POST /v2/captures')")
    assert title.inner_text() == "POST /v2/captures"
    page.keyboard.press("Escape")
    page.wait_for_selector(".span-panel", state="detached")
    assert page.evaluate("document.activeElement.classList.contains('span-sheet')")


def test_the_time_that_is_looked_at_narrows_both_tables(page: Page, server: ServerProcess) -> None:
    open_story(page, server, "view=table&span=0000000000000003")
    page.wait_for_selector(".sheet-row.sel")

    page.keyboard.press("z")
    wait_for(lambda: spans(page) == START_ORDER[:4], "what touches the time of the cart")
    page.click(".views button:has-text('By service')")
    page.wait_for_selector(".tally-sheet .sheet-row")
    names = {name for (name,) in cells(page, "what .cut")}
    assert names >= {"audit", "checkout", "shop-web"}
    assert "payments" not in names
    page.click("text=Show all")
    wait_for(lambda: len(cells(page, "what")) == 14, "every service")


def test_a_trace_of_records_alone_leads_to_them(page: Page, server: ServerProcess) -> None:
    one = Telling(time.time_ns())
    one.log("shop", "00000000000000aa", 0, "INFO", "of no span")
    tell(server, one)
    page.goto(f"{server.url}/traces/{one.trace_id}?view=table")
    page.wait_for_selector(".span-sheet .sheet-empty:has-text('No span to list')")
    page.click(".views button:has-text('By service')")

    page.click(".sheet-empty:has-text('No span to count') button:has-text('Show the records')")

    page.wait_for_selector(".span-line:has-text('of no span')")
    assert params(page) == {}


def test_a_record_in_the_waterfall_leads_to_logs_and_one_key_back(
    page: Page, server: ServerProcess
) -> None:
    """It is the selected record there, and the marked one on the way back."""
    page.goto(f"{server.url}/traces/{STORY}")
    page.click(".span-line.inline:has-text('attempt 2 of 3')")
    page.wait_for_selector(".rows .row.sel:has-text('attempt 2 of 3')")
    assert path(page) == "/logs"
    row = server.rows("message:'attempt 2'")[0]
    assert params(page)["sel"] == row["id"]

    page.keyboard.press("t")

    page.wait_for_selector(".span-line.marked:has-text('attempt 2 of 3')")
    assert path(page) == f"/traces/{STORY}"


@pytest.mark.browser
def test_narrow_and_enlarged_windows_keep_every_figure(
    context: BrowserContext, server: ServerProcess
) -> None:
    """320 px is a small phone, 640 x 400 a laptop's window at 200 %: nothing is cut off."""
    page = context.new_page()
    open_story(page, server, "view=services")
    for width, height in ((320, 640), (640, 400)):
        page.set_viewport_size({"width": width, "height": height})
        for view, names in (
            ("By service", ("what", "spans-of", "total", "self", "share")),
            ("Table", ("what", "service", "start", "took", "self", "status-word")),
        ):
            page.click(f".views button:has-text('{view}')")
            page.wait_for_selector(f".views [aria-pressed=true]:has-text('{view}')")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            ends = _ends(page, [*(f".sheet-row .{name} >> nth=0" for name in names), ".views"])
            assert len(ends) == len(names) + 1
            assert all(0 <= left < right <= width for left, right in ends), ends


def _ends(page: Page, parts: list[str]) -> list[tuple[float, float]]:
    boxes = [page.locator(part).bounding_box() for part in parts]
    return [(box["x"], box["x"] + box["width"]) for box in boxes if box]
