"""The list of traces and its heat map against a real server."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.server import SOURCE, ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import listed, params, path, tell_star


def open_list(page: Page, server: ServerProcess, query: str = "") -> None:
    page.goto(f"{server.url}/traces{query}")
    page.wait_for_selector(".traces-table tbody tr, .empty, .first-trace, .note.lv-error")
    page.wait_for_selector(".heat-band .matched")


def matched(page: Page) -> int:
    return int(page.locator(".heat-band .matched").inner_text().replace(",", ""))


def asked(server: ServerProcess, **more: Any) -> list[str]:
    answer = server.get("/api/v1/traces", **{"limit": 100, **more})
    return [one["trace_id"] for one in answer["traces"]]


def _holds(page: Page, wanted: list[str]) -> bool:
    return listed(page) == wanted


def test_the_list_is_the_servers_in_each_order(page: Page, server: ServerProcess) -> None:
    """Newest, failed first, slowest: the page never sorts by itself."""
    open_list(page, server)
    assert matched(page) == server.get("/api/v1/traces/histogram")["matched"]

    for text, sort in [("Errors first", "errors"), ("Slowest", "slowest"), ("Newest", "newest")]:
        page.click(f".toolbar button:has-text('{text}')")
        wait_for(partial(_holds, page, asked(server, sort=sort)), f"the order {sort}")

    first = page.locator(".traces-table tbody tr").first.inner_text()
    assert "POST /checkout" in first
    assert "2.84 s" in first
    assert {"shop-web", "payments"} <= set(
        page.locator(".traces-table tbody tr").first.locator(".chip").all_inner_texts()
    )


def test_the_list_goes_on_where_it_ended(page: Page, server: ServerProcess) -> None:
    """Every trace stands in it once."""
    open_list(page, server)
    page.click("text=Show more")
    wait_for(lambda: len(listed(page)) == 121, "the second page")

    assert len(set(listed(page))) == 121
    assert page.locator("text=Show more").count() == 0


def test_a_brush_over_time_and_duration_narrows_the_search(
    page: Page, server: ServerProcess
) -> None:
    """What is lit on the heat map is what the list holds; Back takes it back."""
    open_list(page, server)
    all_of_them = matched(page)
    assert page.locator(".heat-band path.failed").count() == 1
    box = page.locator(".heat-band svg.chart").bounding_box()
    assert box
    middle = box["y"] + 60

    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 95, steps=4)
    page.mouse.up()
    wait_for(lambda: "root:true duration" in params(page).get("q", ""), "a search for durations")
    asked_for = params(page)
    assert asked_for["from"].isdigit()
    assert asked_for["to"].isdigit()
    wanted = asked(server, **{name: asked_for[name] for name in ("q", "from", "to")})
    wait_for(lambda: listed(page) == wanted, "the traces of the window")

    assert 0 < len(wanted) < all_of_them
    wait_for(lambda: matched(page) == len(wanted), "the count of the window")
    assert page.locator(".heat-band .edges").count() == 1

    page.click("text=All durations")
    wait_for(lambda: params(page)["q"] == "root:true", "no bounds of durations")
    page.click("text=Show now")
    wait_for(lambda: "from" not in params(page), "no bounds of time")
    for _ in range(3):
        page.go_back()
    wait_for(lambda: matched(page) == all_of_them, "all traces again")
    assert "q" not in params(page)


def test_completion_offers_what_spans_have(page: Page, server: ServerProcess) -> None:
    """Field, operator and value by keyboard alone."""
    open_list(page, server)
    page.keyboard.press("/")

    for typed, offered in [("dura", "duration"), (">", "100ms"), ("status:err", "error")]:
        page.keyboard.type(typed)
        option = page.locator(".completion .option", has_text=offered).first
        option.wait_for()
        while option.get_attribute("aria-selected") != "true":
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    wait_for(lambda: params(page).get("q") == "duration>100ms status:error", "the search")
    wanted = asked(server, q="duration>100ms status:error")
    wait_for(lambda: listed(page) == wanted, "its traces")
    assert wanted


def test_a_wrong_search_says_where_and_keeps_the_last_result(
    page: Page, server: ServerProcess
) -> None:
    """The browser tells of the refused request by itself; that is its own line, not an error."""
    open_list(page, server)
    before = listed(page)

    page.fill("#search", "duration>(")
    page.keyboard.press("Enter")
    page.wait_for_selector(".note.lv-error")

    assert "a value is expected here" in page.locator(".note.lv-error").inner_text()
    assert listed(page) == before
    assert page.locator(".search .wrong").count() == 1


def test_the_way_into_a_trace_and_back_goes_without_a_mouse(
    page: Page, server: ServerProcess
) -> None:
    open_list(page, server, "?sort=slowest&q=root:true")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".span-line")
    assert page.title() == "Trace · clerestory"

    page.keyboard.press("Escape")
    wait_for(lambda: path(page) == "/traces", "the list")
    assert params(page) == {"sort": "slowest", "q": "root:true"}
    page.keyboard.press("g")
    page.keyboard.press("m")
    wait_for(lambda: path(page) == "/map", "the map")
    page.keyboard.press("g")
    page.keyboard.press("t")
    wait_for(lambda: path(page) == "/traces", "the list once more")


def test_the_three_lines_for_a_fresh_server_bring_the_first_trace(
    page: Page, empty_server: ServerProcess, tmp_path: Path
) -> None:
    """Paste, run, see: without a reload, the record in its span."""
    page.goto(f"{empty_server.url}/traces")
    page.wait_for_selector(".first-trace")
    lines = page.locator(".first-trace pre").first.inner_text()
    assert len(lines.splitlines()) == 3
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_ENDPOINT": empty_server.url,
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
    }

    subprocess.run([sys.executable, "-c", lines], env=environment, check=True, timeout=30)

    page.wait_for_selector(".traces-table tbody tr:has-text('checkout')", timeout=8000)
    page.click(".traces-table tbody a")
    page.wait_for_selector(".lanes .bar")
    assert page.locator(".lanes .tick").count() == 1


def test_a_search_without_result_leads_on(page: Page, server: ServerProcess) -> None:
    open_list(page, server, "?q=service:nobody")
    page.click(".empty button:has-text('Clear the search')")

    wait_for(lambda: len(listed(page)) == 100, "all traces")


def test_the_start_page_opens_the_traces_where_there_are_no_records(
    page: Page, empty_server: ServerProcess
) -> None:
    """By itself when the first span arrives, and at once when it is opened again."""
    page.goto(f"{empty_server.url}/")
    page.wait_for_selector(".welcome")

    tell_star(empty_server, 2)
    page.wait_for_url("**/traces*", timeout=10_000)

    page.goto(f"{empty_server.url}/")
    page.wait_for_url("**/traces*", timeout=10_000)
    page.wait_for_selector(".traces-table tbody tr")
