"""What the page may cost: bytes, time to the first paint, frames while scrolling."""

import gzip
import re
import statistics
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import DIST, wait_for
from tests.ui.records import record

pytestmark = pytest.mark.alone

PAINT_MS_MAX = 100
ENTRY_BYTES_MAX = 80_000
CHUNK_BYTES_MAX = 115_000
# What one page fetches before it works, the chunks of its own included.
PAGE_BYTES_MAX = {
    "/logs": 80_000,
    "/traces": 80_000,
    "/traces/00000000000000000000000000000001": 85_000,
    "/sampling": 80_000,
    "/map": 100_000,
    "/query": 200_000,
}


def _packed(name: str) -> int:
    return len(gzip.compress((DIST / name).read_bytes(), 9))


def _entry() -> set[str]:
    page = (DIST / "index.html").read_text()
    return {"index.html", *re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)}


def test_the_page_is_small(browser: Browser) -> None:
    """What every page needs, and each chunk that is fetched later."""
    names = {
        path.relative_to(DIST).as_posix()
        for path in DIST.rglob("*")
        if path.suffix in {".js", ".css", ".html", ".svg"}
    }
    sizes = {name: _packed(name) for name in names}
    entry = _entry()
    print(f"entry {sum(sizes[name] for name in entry)} bytes of {sum(sizes.values())}: {sizes}")

    assert len(entry) >= 2
    assert sum(sizes[name] for name in entry) < ENTRY_BYTES_MAX
    assert max(sizes[name] for name in names - entry) < CHUNK_BYTES_MAX


@pytest.mark.parametrize(("path", "bytes_max"), PAGE_BYTES_MAX.items())
def test_a_page_fetches_little(
    page: Page, server: ServerProcess, path: str, bytes_max: int
) -> None:
    """Libraries that one page draws or edits with are no other page's burden."""
    asked = {"index.html"}
    page.on("request", lambda request: asked.add(request.url.removeprefix(f"{server.url}/")))

    page.goto(f"{server.url}{path}")
    page.wait_for_selector(".status .state")
    page.wait_for_load_state("networkidle")

    fetched = {name: _packed(name) for name in asked if (DIST / name).is_file()}
    print(f"{path} fetches {sum(fetched.values())} bytes: {sorted(fetched)}")
    assert sum(fetched.values()) < bytes_max


def test_only_the_query_page_fetches_the_query_editor(page: Page, server: ServerProcess) -> None:
    """Who only reads logs never pays for it."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{server.url}/logs?live=0")
    page.wait_for_selector(".rows .row")
    page.wait_for_load_state("networkidle")
    scripts = {url.rsplit("/", 1)[1] for url in asked if url.endswith((".js", ".css"))}
    assert {f"assets/{name}" for name in scripts} == _entry() - {"index.html"}

    page.click(".rail a:has-text('Query')")
    page.wait_for_selector(".query-editor[data-ready=true]")
    assert any("/assets/editor-" in url for url in asked)


def _first_paint_ms(browser: Browser, url: str) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    # The process of the page starts with its first document; that is not what is measured.
    page.goto("about:blank")
    page.goto(url)
    # Asked again and again from here: the page's policy forbids a function made of text.
    entries = "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)"
    (found,) = wait_for(lambda: page.evaluate(entries), "the first paint")
    context.close()
    return float(found)


def test_the_first_paint_comes_within_a_tenth_of_a_second(
    browser: Browser, server: ServerProcess
) -> None:
    """The median of five; three retries, for a busy machine is not a slow page."""
    for attempt in range(4):
        times = [_first_paint_ms(browser, f"{server.url}/logs") for _ in range(5)]
        median = statistics.median(times)
        print(f"first paint {median:.0f} ms of {[round(one) for one in times]}")
        if median < PAINT_MS_MAX:
            return
        assert attempt < 3, f"first paint after {median:.0f} ms"


FRAMES = """async () => {
  const box = document.querySelector('.rows');
  const stamps = [], end = performance.now() + 3000;
  let step = -2000;
  await new Promise(done => requestAnimationFrame(function frame(now) {
    stamps.push(now);
    const next = box.scrollTop + step;
    if (next < 0 || next > box.scrollHeight - box.clientHeight) step = -step;
    box.scrollTop += step;
    now < end ? requestAnimationFrame(frame) : done();
  }));
  const gaps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]).slice(2).sort((a, b) => a - b);
  return {fps: 1000 * gaps.length / gaps.reduce((a, b) => a + b, 0),
          p99: gaps[Math.floor(gaps.length * .99)],
          nodes: document.querySelectorAll('*').length};
}"""


@pytest.mark.slow
def test_a_hundred_thousand_rows_scroll_smoothly(page: Page, empty_server: ServerProcess) -> None:
    records = [record(number, age_s=800 - number / 200) for number in range(100_000)]
    for start in range(0, len(records), 10_000):
        empty_server.send(records[start : start + 10_000])
    page.goto(f"{empty_server.url}/logs?live=0&from=-1h")
    page.wait_for_selector(".rows .row")
    deadline = time.monotonic() + 60
    while page.evaluate("document.querySelector('.rows-height').clientHeight") < 100_000 * 22:
        assert time.monotonic() < deadline, "a hundred thousand rows are not there in time"
        page.evaluate("document.querySelector('.rows').scrollTop = 0")
        page.wait_for_timeout(20)
    page.evaluate("document.querySelector('.rows').scrollTop = 1e6")
    page.wait_for_timeout(500)

    best: dict[str, Any] = {}
    for _ in range(4):
        best = page.evaluate(FRAMES)
        print(best)
        if best["fps"] >= 55 and best["p99"] <= 34:
            break

    assert best["fps"] >= 55
    assert best["p99"] <= 34
    assert best["nodes"] < 600
