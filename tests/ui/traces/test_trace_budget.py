"""Traces of many spans are drawn soon, and stay light while they are scrolled and ordered."""

import statistics
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import Telling, tell

pytestmark = pytest.mark.alone

DRAWN_MS_MAX = 300
TURNED_MS_MAX = 200
FRAME_MS_MAX = 34
NODES_MAX = 1200


@pytest.fixture(scope="module")
def server(browser: Browser) -> Iterator[ServerProcess]:
    """A server without the many small traces of the other tests."""
    with ServerProcess() as one:
        yield one


# From the arrival of the trace's last byte until its bars are painted, in the page's own clock.
DRAW = """async trace => {
  performance.clearResourceTimings();
  document.querySelector(`#trace-${CSS.escape(trace)} a`).click();
  await new Promise(done => requestAnimationFrame(function look() {
    document.querySelectorAll('.lanes .bar').length > 20 ? done() : requestAnimationFrame(look);
  }));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const [answer] = performance.getEntriesByType('resource')
    .filter(one => one.name.endsWith(`/${trace}?limit=2000`));
  return performance.now() - answer.responseEnd;
}"""


def thousand() -> Telling:
    """Return a trace of a thousand spans, four calls deep, with two hundred records."""
    one = Telling(time.time_ns() - 60 * 10**9)
    root = one.span("web", "request", 0, 5000)
    for i in range(37):
        batch = one.span("api", f"batch {i}", i * 130, 128, root, items=27, currency="EUR")
        for j in range(26):
            query = one.span("db", f"query {j}", i * 130 + j * 4, 4, batch, rows=j)
            if j % 5 == 0:
                one.log("db", query, i * 130 + j * 4 + 1, "WARNING" if j else "INFO", f"slow {j}")
    return one


def test_a_thousand_spans_are_drawn_in_three_tenths_of_a_second(
    page: Page, server: ServerProcess
) -> None:
    """The median of five; three retries, for a busy machine is not a slow page."""
    told = [thousand(), thousand()]
    tell(server, *told)
    page.goto(f"{server.url}/traces")
    page.wait_for_selector(".traces-table tbody tr")

    for attempt in range(4):
        times = []
        for turn in range(5):
            # the page keeps the last trace, so each is drawn after the other
            times.append(page.evaluate(DRAW, told[turn % 2].trace_id))
            page.keyboard.press("Escape")
            page.wait_for_selector(".traces-table tbody tr")
        print(f"a thousand spans in {statistics.median(times):.0f} ms of {times}")
        if statistics.median(times) <= DRAWN_MS_MAX:
            break
        assert attempt < 3, f"a thousand spans are drawn after {statistics.median(times):.0f} ms"

    page.evaluate(DRAW, told[0].trace_id)
    assert "1,000 spans" in (page.locator(".trace-band svg").get_attribute("aria-label") or "")
    page.keyboard.press("G")
    wait_for(lambda: "slow 25" in page.locator(".span-line.focus").all_inner_texts(), "its end")
    assert page.evaluate("document.querySelectorAll('*').length") < NODES_MAX


# Until what a click changes is painted.
TURN = """async selector => {
  const button = document.querySelector(selector), started = performance.now();
  button.click();
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - started;
}"""

SCROLL = """async () => {
  const box = document.querySelector('.sheet'), stamps = [], end = performance.now() + 600;
  let step = 2000;
  await new Promise(done => requestAnimationFrame(function frame(now) {
    stamps.push(now);
    if (box.scrollTop + step > box.scrollHeight - box.clientHeight || box.scrollTop + step < 0)
      step = -step;
    box.scrollTop += step;
    now < end ? requestAnimationFrame(frame) : done();
  }));
  const gaps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]).slice(2).sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length * .95)];
}"""


def ten_thousand() -> Telling:
    """Return a trace of ten thousand spans of a hundred operations."""
    one = Telling(time.time_ns() - 60 * 10**9)
    root = one.span("web", "request", 0, 5000)
    for i in range(99):
        batch = one.span("api", "batch", i * 50, 49, root)
        for j in range(100):
            one.span("db", f"query {j}", i * 50 + j * 0.4, 0.4 + j % 7, batch)
    return one


def test_ten_thousand_spans_are_listed_ordered_and_scrolled_without_a_hitch(
    page: Page, server: ServerProcess
) -> None:
    """Three retries, for a busy machine is not a slow page."""
    told = ten_thousand()
    tell(server, told)
    page.goto(f"{server.url}/traces/{told.trace_id}?view=table")
    page.click("text=Show 10,000")
    count = page.locator(".sheet-tools [role=status]")
    wait_for(lambda: count.inner_text() == "10,000 spans", "every span")

    for attempt in range(4):
        orders = (".sheet-head :nth-child(5) button", ".sheet-head :first-child button")
        turns = [page.evaluate(TURN, order) for order in orders]
        frame_ms = page.evaluate(SCROLL)
        for view in (2, 3):
            turns.append(page.evaluate(TURN, f".views button:nth-child({view})"))
        print(f"turns {[round(one) for one in turns]} ms, frames {frame_ms:.0f} ms")
        if max(turns) <= TURNED_MS_MAX and frame_ms <= FRAME_MS_MAX:
            break
        assert attempt < 3, f"turns {turns} ms, frames {frame_ms} ms"

    assert page.locator(".sheet-row").count() < 100
    assert page.evaluate("document.querySelectorAll('*').length") < NODES_MAX
    page.fill(".sheet-tools input", "query 42")
    wait_for(lambda: count.inner_text() == "99 of 10,000 spans", "what matches")
