"""What stays of a query: saved, history, files, links; and how one comes to the page."""

import csv
import io
import json
import re
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from pyarrow import parquet  # type: ignore[import-untyped]

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.query_page import (
    BY_SERVICE,
    OVER_TIME,
    RECORDS,
    cells,
    open_query,
    params,
    run,
    write,
    written,
)
from tests.ui.records import hostile, send


def test_queries_are_saved_renamed_found_again_and_deleted(
    page: Page, empty_server: ServerProcess
) -> None:
    """What is saved here is a query definition of CloudWatch's too."""
    open_query(page, empty_server)
    run(page, "stats count(*) by level")
    page.locator(".result-tools").click()
    page.keyboard.press("s")
    page.locator(".save-form input").fill("By level")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lists .it.on:has-text('By level')")

    saved = empty_server.get("/api/v1/insights/saved")["saved"]
    assert [(one["name"], one["query"]) for one in saved] == [
        ("By level", "stats count(*) by level")
    ]
    assert params(page)["saved"] == saved[0]["id"]

    write(page, "stats count(*) by service")
    page.wait_for_selector(".query-tools:has-text('changed')")
    page.reload()
    page.wait_for_selector(".lists .it:has-text('By level')")
    page.hover(".lists .it:has-text('By level')")
    page.click("button[aria-label='Rename By level']")
    page.locator(".lists form input").fill("Levels")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lists .it:has-text('Levels')")
    page.click(".lists .it .name:has-text('Levels')")
    wait_for(lambda: written(page) == "stats count(*) by level", "the saved query")

    page.hover(".lists .it:has-text('Levels')")
    page.click("button[aria-label='Delete Levels']")
    page.click(".lists .it button:has-text('Delete')")
    wait_for(lambda: empty_server.get("/api/v1/insights/saved")["saved"] == [], "the deletion")


def test_history_keeps_fifty_runs_with_their_rows_and_brings_one_back(
    page: Page, server: ServerProcess
) -> None:
    """The history is this browser's own."""
    page.goto(f"{server.url}/settings")
    old = [
        {"query": f"limit {i}", "groups": [], "from": "-15m", "to": "now"}
        | {"at_ms": i, "rows": i, "seconds": 0.1}
        for i in range(1, 51)
    ]
    page.evaluate("old => localStorage.setItem('clerestory.query-history', old)", json.dumps(old))
    open_query(page, server, BY_SERVICE)
    run(page, RECORDS)

    entries = page.locator(".lists .past")
    assert "200 rows" in entries.nth(0).inner_text()
    assert "3 rows" in entries.nth(1).inner_text()
    kept = page.evaluate("JSON.parse(localStorage.getItem('clerestory.query-history'))")
    assert [len(kept), kept[-1]["query"]] == [50, "limit 48"]

    entries.nth(1).click()
    wait_for(lambda: written(page) == BY_SERVICE, "the query of before")
    wait_for(lambda: len(cells(page)) == 3, "its rows")


def exported(page: Page, kind: str) -> tuple[str, bytes]:
    """Return the name and the bytes of an export."""
    with page.expect_download() as download:
        page.locator(".segment[aria-label=Export] button", has_text=re.compile(f"^{kind}$")).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_every_export_holds_what_the_table_shows(page: Page, server: ServerProcess) -> None:
    """CSV, JSON, NDJSON and Parquet, read back by other programs, equal the rows."""
    open_query(page, server, BY_SERVICE)
    table = cells(page)

    name, content = exported(page, "CSV")
    assert name.endswith(".csv")
    assert list(csv.reader(io.StringIO(content.decode(), newline=""))) == [
        ["service", "records", "last"],
        *table,
    ]
    rows = [
        {"service": service, "records": int(records), "last": int(last)}
        for service, records, last in table
    ]
    assert json.loads(exported(page, "JSON")[1]) == rows
    assert [json.loads(line) for line in exported(page, "NDJSON")[1].splitlines()] == rows
    name, content = exported(page, "Parquet")
    assert name.endswith(".parquet")
    assert parquet.read_table(io.BytesIO(content)).to_pylist() == rows


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("level:error service:payments", 'filter level = "ERROR" and service = "payments"\n|'),
        ('"order 77 placed" or number>=590', None),
        ("-kind_of:even level>=warn placed", None),
    ],
)
def test_a_pipe_in_the_search_bar_leads_here_with_the_same_records(
    page: Page, server: ServerProcess, search: str, expected: str | None
) -> None:
    """Nothing that is typed on the way is lost, and the query counts what the search counted."""
    matched = len(server.rows(search, **{"from": "-1h", "limit": "1000"}))
    page.goto(f"{server.url}/logs?live=0&from=-1h")
    page.wait_for_selector(".rows .row")

    page.keyboard.press("/")
    page.keyboard.type(f"{search} | stats count(*) as n")

    page.wait_for_selector(".query-editor[data-ready=true]")
    wait_for(lambda: written(page).endswith("| stats count(*) as n"), "what was typed")
    if expected:
        assert written(page) == f"{expected} stats count(*) as n"
    assert params(page)["from"] == "-1h"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".row-count")
    assert matched > 0
    assert cells(page) == [[str(matched)]]


def test_a_pipe_in_quotes_stays_a_search(page: Page, server: ServerProcess) -> None:
    """Only the grammar's own pipe leads away."""
    page.goto(f"{server.url}/logs?live=0")
    page.wait_for_selector(".rows .row")

    page.keyboard.press("/")
    page.keyboard.type('"a|b"')
    page.keyboard.press("Enter")

    wait_for(lambda: params(page).get("q") == '"a|b"', "the search")
    assert page.url.split("?")[0].endswith("/logs")


def test_the_address_alone_shows_the_same_page(
    page: Page, browser: Browser, server: ServerProcess
) -> None:
    """Query, groups, range, view, order and the open record are all in the link."""
    open_query(page, server, OVER_TIME, **{"from": "-1h"})
    page.click(".group-button")
    page.click(".group-menu .choice:has-text('checkout')")
    page.click(".group-menu .choice:has-text('payments')")
    page.keyboard.press("Escape")
    page.click(".segment button:has-text('Bars')")
    page.locator(".result-head button", has_text="records").click()
    page.wait_for_selector(".results[aria-busy=false]")
    wait_for(lambda: "shop-web" not in page.locator(".group-button").inner_text(), "the groups")
    settled = cells(page)

    other = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    other.goto(page.url)
    other.wait_for_selector(".row-count")

    wait_for(lambda: cells(other) == settled, "the same rows")
    assert written(other) == OVER_TIME
    assert other.locator(".segment button[aria-pressed=true]").inner_text() == "Bars"
    assert "checkout" in other.locator(".group-button").inner_text()
    assert sum(int(row[2]) for row in settled) < 600
    other.context.close()


def test_what_was_written_is_still_there_after_a_look_at_another_page(
    page: Page, server: ServerProcess
) -> None:
    """A half-written query is work."""
    open_query(page, server)
    write(page, "stats count(*) by lev")

    page.click(".rail a:has-text('Logs')")
    page.wait_for_selector(".rows .row")
    page.click(".rail a:has-text('Query')")

    page.wait_for_selector(".query-editor[data-ready=true]")
    assert written(page) == "stats count(*) by lev"
    assert params(page)["query"] == "stats count(*) by lev"


def test_back_brings_the_query_before(page: Page, server: ServerProcess) -> None:
    """Each run is a step of the browser's history."""
    open_query(page, server, BY_SERVICE)
    run(page, RECORDS)

    page.go_back()

    wait_for(lambda: written(page) == BY_SERVICE, "the query before")
    wait_for(lambda: len(cells(page)) == 3, "its rows")


def test_no_record_runs_in_the_result_and_the_layout_holds(
    page: Page, empty_server: ServerProcess
) -> None:
    """Markup, controls, a 900 kB cell and names that are markup stay text."""
    send(empty_server, hostile(), "<b>evil</b>")
    later = str(int(time.time() * 1000) + 600_000)
    query = "fields @timestamp, message, service, @message"

    answer = page.goto(f"{empty_server.url}/query?{urlencode({'query': query, 'to': later})}")
    page.wait_for_selector(".result-row")

    assert answer
    assert "style-src 'self' 'sha256-" in (answer.header_value("content-security-policy") or "")
    shown = page.locator(".result-rows").inner_text()
    assert "\\e[31m" in shown
    assert "\\u202e" in shown
    assert "<script>" in shown
    assert not any(char in shown for char in "\x1b\u202e\x00")
    assert max(len(cell) for row in cells(page) for cell in row) <= 501
    run(page, "stats count(*) as `<i>n</i>` by message, service")
    page.locator(".result-row", has_text="xxxx").click()
    assert "x" * 100_000 in page.locator(".row-cells").inner_text()
    page.click(".segment button:has-text('Bars')")
    page.wait_for_selector(".plot .bar")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".results script, .results img, .results i, .row-cells b").count() == 0


def test_a_phone_shows_editor_result_and_drawers(
    context: BrowserContext, server: ServerProcess
) -> None:
    """390 pixels are enough to ask and to read."""
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    open_query(page, server, OVER_TIME)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".run-button").is_visible()
    assert page.locator(".result-row").first.is_visible()
    page.click(".drawers button:has-text('Lists')")
    page.wait_for_selector(".lists .past", state="visible")


def test_an_empty_page_offers_queries_that_run(page: Page, server: ServerProcess) -> None:
    """Each sample compiles and gives rows on records of our own."""
    open_query(page, server)
    samples = page.locator(".samples button b").all_inner_texts()

    for name in samples:
        page.click(f".samples button:has-text('{name}')")
        page.wait_for_selector(".row-count")
        assert page.locator(".row-count").inner_text() != "0", name
        assert page.locator(".fault").count() == 0
        page.click(".query-tools button:has-text('New')")
        page.wait_for_selector(".samples")
    assert len(samples) >= 5


def test_help_palette_and_rail_know_the_page(page: Page, server: ServerProcess) -> None:
    """Every action has a key in the list and a name in the palette."""
    page.goto(f"{server.url}/settings")
    page.wait_for_selector(".rail a:has-text('Query')")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_selector(".query-editor[data-ready=true]")
    assert page.title() == "Query · clerestory"

    page.keyboard.press("Control+k")
    page.keyboard.type("Ask: which services")
    page.keyboard.press("Enter")
    page.wait_for_selector(".row-count")
    page.locator(".result-rows").focus()
    page.keyboard.press("?")
    assert "take a completion or a suggestion" in page.locator(".help").inner_text()
