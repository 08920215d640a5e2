"""Live records: the first one, a fast stream, a server that goes away and comes back."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page

from tests.support.server import SOURCE, ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.records import record, send

pytestmark = pytest.mark.alone

IS_AT_END = """() => { const box = document.querySelector('.rows');
  return box.scrollHeight - box.scrollTop - box.clientHeight < 30; }"""


def test_the_start_page_shows_three_lines_that_light_the_page_when_they_are_run(
    page: Page, empty_server: ServerProcess, tmp_path: Path
) -> None:
    """What a newcomer does: paste, run, see; without reload, within two seconds."""
    page.goto(empty_server.url)
    page.wait_for_selector(".code pre")
    lines = page.locator(".code pre").first.inner_text().splitlines()

    assert lines[0] == "from clerestory import get_logger"
    assert len(lines) == 3
    page.wait_for_timeout(300)
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_ENDPOINT": empty_server.url,
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
    }
    program = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], env=environment, stderr=subprocess.DEVNULL
    )
    page.wait_for_selector(".rows .row", timeout=2000)
    assert "order placed" in page.locator(".rows .row").first.inner_text()
    assert program.wait(10) == 0


def test_a_test_record_can_be_sent_from_the_start_page(
    page: Page, empty_server: ServerProcess
) -> None:
    page.goto(f"{empty_server.url}/")
    page.click(".wait button")

    page.wait_for_selector(".rows .row", timeout=3000)


def _figures(session: CDPSession) -> dict[str, float]:
    found: dict[str, Any] = session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}


def test_a_thousand_a_second_are_followed_without_loss(
    page: Page, empty_server: ServerProcess
) -> None:
    """Every number arrives once, the end stays in view, and the page has time left."""
    seconds = 10
    send(empty_server, [record(0, message="before")], "shop")
    page.goto(f"{empty_server.url}/logs?live=1")
    page.wait_for_selector(".rows .row")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def stream() -> None:
        start = time.monotonic()
        for batch in range(seconds * 20):
            wait = start + batch / 20 - time.monotonic()
            time.sleep(max(0, wait))
            send(empty_server, [record(batch * 50 + i) for i in range(50)], "shop")

    sender = threading.Thread(target=stream)
    before = _figures(session)
    sender.start()
    page.wait_for_timeout(seconds * 500)
    assert page.evaluate(IS_AT_END), "follows while it streams"
    sender.join()
    after = _figures(session)
    busy = (after["TaskDuration"] - before["TaskDuration"]) / (
        after["Timestamp"] - before["Timestamp"]
    )

    count = seconds * 1000 + 1
    wait_for(lambda: _row_count(page) == count, f"{count} rows, got {_row_count(page)}")
    wait_for(lambda: page.evaluate(IS_AT_END), "the end is in view")
    print(f"main thread {busy:.1%}")
    assert busy < 0.4

    page.hover(".rows")
    page.mouse.wheel(0, -2000)
    page.wait_for_selector(".live.paused")
    send(empty_server, [record(1), record(2)], "shop")
    wait_for(lambda: page.locator(".new-pill").count() == 1, "the pill of what is new")
    assert page.locator(".new-pill").inner_text() == "2 new"
    page.keyboard.press("Space")
    wait_for(lambda: page.evaluate(IS_AT_END), "Space goes back to the end")


def _row_count(page: Page) -> int:
    """How many rows are held: the height of the list tells, whatever is drawn."""
    height = page.evaluate("document.querySelector('.rows-height').clientHeight")
    return int(height) // 22


def test_after_a_restart_the_tail_comes_back_without_gap_or_double(
    page: Page, empty_server: ServerProcess
) -> None:
    send(empty_server, [record(number) for number in range(5)], "shop")
    port = empty_server.url.rsplit(":", 1)[1]
    page.goto(f"{empty_server.url}/logs?live=1")
    wait_for(lambda: _row_count(page) == 5, "five rows")
    page.wait_for_timeout(1300)

    empty_server.stop()
    page.wait_for_selector(".live.stale")
    again = ServerProcess(empty_server.data_dir, "--port", port)
    again.start()
    try:
        send(again, [record(number) for number in range(5, 9)], "shop")
        page.wait_for_selector(".live:not(.stale)", timeout=15_000)
        send(again, [record(9)], "shop")
        wait_for(lambda: _row_count(page) == 10, "ten rows, none twice")
        shown = page.locator(".rows .row .m").all_inner_texts()
        numbers = [int(text.split()[1]) for text in shown]
        assert sorted(numbers) == list(range(10))
    finally:
        again.stop()
