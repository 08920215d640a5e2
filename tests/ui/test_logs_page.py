"""The logs page against a real server: search, facets, brush, completion, links, keys."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for

LOADED = ".rows .row"


def open_logs(page: Page, server: ServerProcess, query: str = "live=0") -> None:
    page.goto(f"{server.url}/logs?{query}")
    page.wait_for_selector(LOADED)
    page.wait_for_selector(".facet .value")


def params(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries(new URLSearchParams(location.search))"
    )
    return found


def first_rows(page: Page) -> list[str]:
    found: list[str] = page.locator(LOADED).all_inner_texts()
    return found


def matched(page: Page) -> int:
    return int(page.locator(".matched").inner_text().replace(",", ""))


def test_facet_counts_are_the_servers_and_plus_and_minus_change_the_search(
    page: Page, server: ServerProcess
) -> None:
    open_logs(page, server)
    asked = server.get("/api/v1/facets", fields="service", **{"from": "-15m"})
    counts = {one["value"]: one["count"] for one in asked["facets"][0]["values"]}

    shown = {
        name: int(page.locator(f'.value[data-value="{name}"] .n').inner_text().replace(",", ""))
        for name in counts
    }
    assert shown == counts

    page.hover('.value[data-value="payments"]')
    page.click('.value[data-value="payments"] button[aria-label^="Only"]')
    wait_for(lambda: params(page).get("q") == "service:payments", "plus in the address")
    wait_for(lambda: matched(page) == counts["payments"], "the count of what is kept")

    page.hover('.value[data-value="payments"]')
    page.click('.value[data-value="payments"] button[aria-label^="Not"]')
    wait_for(lambda: params(page).get("q") == "-service:payments", "minus in the address")
    wait_for(lambda: matched(page) == sum(counts.values()) - counts["payments"], "the rest")
    assert "off" in (page.locator('.value[data-value="payments"]').get_attribute("class") or "")


def test_a_brush_sets_the_window_and_back_takes_it_away(page: Page, server: ServerProcess) -> None:
    open_logs(page, server)
    before = matched(page)
    box = page.locator(".band svg.chart").bounding_box()
    assert box

    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=4)
    page.mouse.up()

    wait_for(lambda: params(page).get("from", "").isdigit(), "from in the address")
    start, end = int(params(page)["from"]), int(params(page)["to"])
    count = len(server.rows("", **{"from": start, "to": end}))
    wait_for(lambda: matched(page) == count, "the window's count")
    assert 0 < count < before
    table = page.locator(".grid").get_attribute("aria-rowcount")
    assert int(table or 0) == count
    assert page.locator(".band .window").count() == 1

    page.go_back()
    wait_for(lambda: "from" not in params(page), "Back takes the window away")
    wait_for(lambda: matched(page) >= before - 20, "and brings the records back")


def test_completion_offers_field_operator_and_value_by_keyboard_alone(
    page: Page, server: ServerProcess
) -> None:
    open_logs(page, server)
    option = page.locator('.completion .option[aria-selected="true"]')

    page.keyboard.press("/")
    page.keyboard.type("serv")
    wait_for(lambda: option.count() and "service" in option.inner_text(), "the field")
    page.keyboard.press("Tab")
    wait_for(lambda: option.count() and "service:" in option.inner_text(), "the operator")
    page.keyboard.press("Tab")
    wait_for(lambda: option.count() and "200" in option.inner_text(), "a value with its count")
    name = option.locator(".mono").inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    wait_for(lambda: params(page).get("q") == f"service:{name}", "the search in the address")
    assert page.get_attribute("#search", "role") == "combobox"


def test_a_copied_address_shows_the_same_rows_columns_and_selection(
    page: Page, server: ServerProcess, browser: Browser
) -> None:
    rows = server.rows("level:error")
    newest = max(int(row["ts"]) for row in rows) // 1_000_000
    chosen = rows[3]["id"]
    query = (
        f"q=level:error&from={newest - 400_000}&to={newest + 1}&cols=number&sort=-ts&sel={chosen}"
    )
    open_logs(page, server, query)
    page.wait_for_selector(".panel .tree .n")

    other = browser.new_context(viewport={"width": 1280, "height": 800})
    fresh = other.new_page()
    fresh.goto(page.url)
    fresh.wait_for_selector(".panel .tree .n")
    for shown in (page, fresh):
        shown.wait_for_selector(LOADED)

    try:
        assert first_rows(fresh) == first_rows(page)
        assert fresh.locator(".thead").inner_text() == page.locator(".thead").inner_text()
        assert fresh.locator(".panel h2").inner_text() == page.locator(".panel h2").inner_text()
        assert "number" in page.locator(".thead").inner_text()
    finally:
        other.close()


def test_the_whole_way_goes_without_a_mouse(page: Page, server: ServerProcess) -> None:
    open_logs(page, server)

    page.keyboard.press("E")
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel .state.lv-error")
    opened = params(page)["sel"]
    page.keyboard.press("t")
    page.wait_for_selector(".span-line.marked")
    assert page.locator(".span-line").count() == 5
    page.keyboard.press("t")
    page.wait_for_selector(".panel .state.lv-error")
    assert params(page)["sel"] == opened
    page.keyboard.press("Escape")
    wait_for(lambda: page.locator(".panel").count() == 0, "the panel closes")
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") in {"day", "night"}
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    wait_for(lambda: page.locator("dialog").count() == 0, "the dialog closes")


def test_an_error_is_underlined_and_the_last_good_result_stays(
    page: Page, server: ServerProcess
) -> None:
    open_logs(page, server)
    before = page.locator(LOADED).count()

    page.keyboard.press("/")
    page.keyboard.type("level:info (a or")
    page.keyboard.press("Enter")

    page.wait_for_selector(".note[role=alert]")
    assert page.locator(".underlay .wrong").count() == 1
    assert page.locator(".note[role=alert]").inner_text().startswith("17")
    assert page.locator(LOADED).count() >= before - 3


def test_nothing_found_offers_to_drop_what_is_in_the_way(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/logs?q=service:payments+kind_of:neither")

    page.click(".empty button")

    wait_for(lambda: params(page).get("q") == "service:payments", "the term is dropped")
    page.wait_for_selector(LOADED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bars_have_the_colours_of_the_rows(
    browser: Browser, server: ServerProcess, scheme: Any
) -> None:
    """A stack painted in the wrong order would show a spike of errors as calm."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    try:
        page.goto(f"{server.url}/logs?live=0&q=level:error")
        page.wait_for_selector(".row.lv-error")
        page.wait_for_selector(".bars-error")
        point = page.evaluate(
            """() => { const path = document.querySelector('.bars-error');
            const [, x, y] = path.getAttribute('d').match(/M([\\d.]+) ([\\d.]+)/).map(Number);
            const box = path.ownerSVGElement.getBoundingClientRect();
            return [Math.round(box.x + x + 3), Math.round(box.y + y + 4)]; }"""
        )
        bar = pixel(page, *point)
        row = page.locator(".row.lv-error").last.bounding_box()
        assert row
        assert bar == pixel(page, int(row["x"]) + 1, int(row["y"]) + 10)
        assert bar == token(page, "--bar-error")
    finally:
        context.close()


def pixel(page: Page, x: int, y: int) -> list[int]:
    """The colour on the screen, read back through a canvas of another, empty page."""
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    reader = page.context.new_page()
    try:
        found: list[int] = reader.evaluate(
            """async bytes => { const image = await createImageBitmap(
                 new Blob([new Uint8Array(bytes)], {type: 'image/png'}));
               const canvas = new OffscreenCanvas(1, 1).getContext('2d');
               canvas.drawImage(image, 0, 0);
               return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); }""",
            list(shot),
        )
        return found
    finally:
        reader.close()


def token(page: Page, name: str) -> list[int]:
    text = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('{name}')")
    match = re.fullmatch(r"#(..)(..)(..)", text.strip())
    assert match
    return [int(part, 16) for part in match.groups()]
