"""A trace of a thousand spans is drawn soon and stays light while it is scrolled."""

import statistics
import time

import pytest
from playwright.sync_api import Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import Telling, tell

pytestmark = pytest.mark.alone

DRAWN_MS_MAX = 300
NODES_MAX = 1200

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
    page: Page, empty_server: ServerProcess
) -> None:
    """The median of five; three retries, for a busy machine is not a slow page."""
    told = [thousand(), thousand()]
    tell(empty_server, *told)
    page.goto(f"{empty_server.url}/traces")
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
