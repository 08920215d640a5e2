"""The query page against a real server: write, check, run, stop, read, draw."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.query_page import (
    BY_SERVICE,
    OVER_TIME,
    RECORDS,
    asked,
    cells,
    open_query,
    params,
    run,
    write,
    written,
)

# Two joins that put each record beside each, three times over: a minute of work.
ENDLESS = (
    "fields 1 as k, message as m | join left=a right=b where a.k = b.k "
    "(fields 1 as k, message as n) | fields a.k as k3, concat(a.m, b.n) as mm "
    "| join left=c right=d where c.k3 = d.k (fields 1 as k, message as o) "
    "| stats max(sha256(concat(c.mm, d.o))) as worst"
)


def test_a_query_is_written_by_keyboard_alone_and_its_rows_are_the_servers(
    page: Page, server: ServerProcess
) -> None:
    """Completion offers commands, functions, words and discovered fields; Ctrl Enter runs."""
    open_query(page, server)
    wait_for(lambda: page.locator(".lists .it:has-text('kind_of')").count(), "discovered fields")

    for typed, label in [
        ("stat", "stats"),
        ("count_d", "count_distinct"),
        ("kind", "kind_of"),
    ]:
        page.keyboard.type(typed)
        page.locator(".offer li[aria-selected] .cm-completionLabel", has_text=label).wait_for()
        page.keyboard.press("Tab")
        page.wait_for_selector(".offer", state="detached")
    page.keyboard.type(") as kinds by service | sort service des")
    page.locator(".offer li[aria-selected] .cm-completionLabel", has_text="desc").wait_for()
    page.keyboard.press("Tab")
    page.wait_for_selector(".offer", state="detached")
    assert written(page) == (
        "stats count_distinct(kind_of) as kinds by service | sort service desc "
    )
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".row-count")

    expected = asked(server, written(page))["rows"]
    assert cells(page) == [[str(cell) for cell in row] for row in expected]
    assert params(page)["query"] == written(page)


def test_behind_an_operator_the_fields_values_are_offered(
    page: Page, server: ServerProcess
) -> None:
    """Nobody has to know how a level is spelled; quotes are written along."""
    open_query(page, server)

    page.keyboard.type('filter level = "err')
    page.locator(".offer li[aria-selected]", has_text="ERROR").wait_for()
    page.keyboard.press("Tab")
    wait_for(lambda: written(page).count("ERROR"), "the value")
    page.keyboard.type(" and service in [ch")
    page.locator(".offer li[aria-selected]", has_text="checkout").wait_for()
    page.keyboard.press("Tab")
    wait_for(lambda: written(page).count("checkout"), "the second value")

    assert written(page) == 'filter level = "ERROR" and service in ["checkout"]'


@pytest.mark.parametrize(
    ("query", "wrong", "repaired"),
    [
        ("filter level = 'ERROR'\n| stats cont(*) by level", "cont", "count"),
        ("# \U0001f600 ü\nstatz count(*)", "statz", "stats"),
    ],
)
def test_an_error_is_underlined_at_its_place_and_its_suggestion_taken_by_key(
    page: Page, server: ServerProcess, query: str, wrong: str, repaired: str
) -> None:
    """The underlined letters are those that the server complained about, and no others."""
    body = json.dumps({"query": query}).encode()
    answer = server.call("POST", "/api/v1/insights/check", body)[1]
    (error,) = json.loads(bytes(answer))["errors"]
    assert query[error["start"] : error["end"]] == wrong
    open_query(page, server)

    write(page, query)
    page.wait_for_selector(".fault")

    underlined = page.locator(".wrong").all_inner_texts()
    assert "".join(underlined) == wrong
    before = page.evaluate(
        """() => {
          const root = document.querySelector('.query-editor').shadowRoot;
          const range = document.createRange(), wrong = root.querySelector('.wrong');
          range.setStart(wrong.closest('.cm-line'), 0);
          range.setEndBefore(wrong);
          return range.toString();
        }"""
    )
    line = query[: error["start"]].rsplit("\n", 1)[-1]
    assert before == line
    assert f"{query[: error['start']].count(chr(10)) + 1}:{len(line) + 1}" in (
        page.locator(".fault").inner_text()
    )
    assert page.locator(".run-button").is_disabled()

    page.keyboard.press("Tab")
    wait_for(lambda: written(page) == query.replace(wrong, repaired), "the suggestion")
    page.wait_for_selector(".fault", state="detached")
    assert page.locator(".wrong").count() == 0
    assert page.locator(".run-button").is_enabled()


def test_a_failed_check_keeps_the_last_good_result_and_says_how_old_it_is(
    page: Page, server: ServerProcess
) -> None:
    """Nobody takes the rows of one query for those of another."""
    open_query(page, server, BY_SERVICE)

    write(page, f"{BY_SERVICE} | nothing")
    page.wait_for_selector(".fault")

    assert "of the query before" in page.locator(".result-tools").inner_text()
    assert len(cells(page)) == 3


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_idle(process: int) -> bool:
    before = _cpu_s(process)
    time.sleep(0.5)
    return _cpu_s(process) - before < 0.1


@pytest.mark.parametrize("way", ["key", "button"])
def test_a_running_query_tells_how_far_it_is_and_stops_in_the_engine(
    page: Page, server: ServerProcess, way: str
) -> None:
    """Stop closes the connection, and the server stops computing."""
    assert server.process
    open_query(page, server)
    write(page, ENDLESS)

    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".scanned-records")
    read = page.locator(".scanned-records")
    wait_for(lambda: int(read.inner_text().replace(",", "")) > 0, "records that were read")
    assert page.locator(".results").get_attribute("aria-busy") == "true"
    pid = server.process.pid
    wait_for(lambda: not _is_idle(pid), "the engine to work")
    if way == "key":
        page.keyboard.press("Escape")
    else:
        page.click(".run-button:has-text('Stop')")

    page.wait_for_selector(".run-button:has-text('Run')")
    wait_for(lambda: _is_idle(pid), "the engine to stop", 15)
    assert page.locator(".row-count").count() == 0
    run(page, BY_SERVICE)
    assert len(cells(page)) == 3


def test_a_click_on_a_head_orders_numbers_as_numbers_and_a_third_restores(
    page: Page, server: ServerProcess
) -> None:
    """The server's order is never lost."""
    open_query(page, server, RECORDS + " | sort @timestamp desc")
    served = cells(page)
    head = page.locator(".result-head button", has_text="number")

    head.click()
    wait_for(lambda: [row[3] for row in cells(page)[:3]] == ["0", "1", "2"], "upwards")
    head.click()
    wait_for(lambda: cells(page)[0][3] == "199", "downwards")
    assert params(page)["sort"] == "-number"
    head.click()
    wait_for(lambda: cells(page) == served, "the server's order")


def test_a_row_that_is_a_record_opens_the_records_panel(page: Page, server: ServerProcess) -> None:
    """One panel for a record, wherever it is found; a row of an aggregate shows its columns."""
    open_query(page, server, RECORDS)

    page.locator(".result-row").nth(9).click()
    page.wait_for_selector(".panel h2:has-text('order 9 placed')")
    assert params(page)["sel"]
    page.locator(".result-rows").focus()
    page.keyboard.press("j")
    page.wait_for_selector(".panel h2:has-text('order 10 placed')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".panel", state="detached")

    run(page, BY_SERVICE)
    page.locator(".result-row").first.click()
    assert "checkout" in page.locator(".row-cells").inner_text()


def test_a_row_of_an_aggregate_leads_to_the_records_that_it_counted(
    page: Page, server: ServerProcess
) -> None:
    """A high bar is a question; its records are the answer."""
    query = "filter number > 5 | stats count(*) as records by bin(2m), level | sort records desc"
    open_query(page, server, query)
    row = cells(page)[0]

    page.locator(".result-row").first.click()
    page.click(".panel button:has-text('Show these records')")

    page.wait_for_selector(".result-row:has-text('placed')")
    assert page.locator(".row-count").inner_text() == row[2]
    assert {one[1] for one in cells(page)} == {row[1]}
    assert written(page).startswith("filter number > 5\n| filter level = ")


def test_ten_thousand_rows_are_a_few_on_screen(page: Page, empty_server: ServerProcess) -> None:
    """The table is as long as the result, the document is not."""
    records = [
        {"timestamp": time.time_ns() - number, "level": "INFO", "message": "m", "number": number}
        for number in range(12_000)
    ]
    empty_server.send(records, resource={"service.name": "many"})

    open_query(page, empty_server, "fields number | sort number asc")

    assert page.locator(".row-count").inner_text() == "10,000"
    assert "cut at the limit of 10,000" in page.locator(".result-tools").inner_text()
    assert page.evaluate("document.querySelectorAll('*').length") < 600
    page.evaluate("document.querySelector('.result-rows').scrollTop = 1e9")
    wait_for(lambda: cells(page)[-1] == ["9999"], "the last row")


def _colours(part: Locator) -> set[str]:
    found: list[str] = part.evaluate_all(
        "parts => parts.map(part => getComputedStyle(part).getPropertyValue('--c'))"
    )
    return set(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_counts_over_time_are_lines_with_a_legend_a_tip_and_a_summary(
    browser: Browser, server: ServerProcess, theme: Any
) -> None:
    """What is drawn is what the rows say, in either theme."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    page = context.new_page()
    open_query(page, server, OVER_TIME)

    assert page.locator(".segment button[aria-pressed=true]").inner_text() == "Line"
    levels = {"DEBUG", "ERROR", "INFO", "NOTICE", "WARNING"}
    assert set(page.locator(".legends-row .legend").all_inner_texts()) == levels
    assert page.locator(".plot .line").count() == 5
    assert len(_colours(page.locator(".plot .line"))) == 5
    result = asked(server, OVER_TIME)
    most = max(row[2] for row in result["rows"])
    summary = page.locator(".plot svg").get_attribute("aria-label") or ""
    assert re.search(rf"INFO from \d+ to {most}", summary)
    assert "NaN" not in page.locator(".plot svg").inner_html()

    page.locator(".plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    tip = page.locator(".tip").inner_text()
    bins = sorted({row[0] for row in result["rows"]})
    assert bins[1][11:16] in tip
    info = next(row[2] for row in result["rows"] if row[0] == bins[1] and row[1] == "INFO")
    assert re.search(rf"INFO\s+{info}\b", tip)

    page.click(".legends-row .legend:has-text('INFO')")
    assert page.locator(".plot .line").count() == 4
    page.select_option("select[aria-label=Figure]", label="mean")
    wait_for(lambda: params(page).get("y") == "mean", "the figure in the address")
    page.click(".segment button:has-text('Bars')")
    assert params(page)["view"] == "bars"
    assert page.locator(".plot .stack").count() == 4
    context.close()


def test_a_drag_over_the_chart_looks_at_whole_bins(page: Page, server: ServerProcess) -> None:
    """The range of the address becomes what was dragged over, and the query runs again."""
    open_query(page, server, "stats count(*) as records by bin(1m)")
    box = page.locator(".plot").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    rows = len(cells(page))

    page.mouse.move(box["x"] + box["width"] * 0.6, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=4)
    page.mouse.up()

    wait_for(lambda: params(page).get("to"), "the range in the address")
    start, end = int(params(page)["from"]), int(params(page)["to"])
    assert start % 60_000 == end % 60_000 == 0
    wait_for(lambda: 0 < len(cells(page)) < rows, "the rows of the range")
    assert len(cells(page)) == (end - start) // 60_000


def test_a_figure_by_a_field_is_bars_and_a_list_of_records_has_none(
    page: Page, server: ServerProcess
) -> None:
    """The view is chosen by what the result can be drawn as."""
    open_query(page, server, "stats count(*) as records by service | sort service desc")

    assert page.locator(".segment button[aria-pressed=true]").inner_text() == "Bars"
    names = page.locator(".plot .bar .name").all_text_contents()
    assert names == ["shop-web", "200", "payments", "200", "checkout", "200"]
    widths = page.locator(".plot .bar rect:last-of-type").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    assert max(widths) - min(widths) < 1
    assert page.locator(".segment button:has-text('Line')").is_disabled()

    run(page, RECORDS)
    assert page.locator(".segment button[aria-pressed=true]").inner_text() == "Table"
    assert page.locator(".plot").count() == 0
