"""The map of services: figures of the server, keys, table, the cap, what it fetches."""

from typing import Any

from playwright.sync_api import Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import listed, params, path, tell_star

DRAWN_MAX = 200


def open_map(page: Page, server: ServerProcess, query: str = "") -> None:
    page.goto(f"{server.url}/map{query}")
    page.wait_for_selector(".plate, .map-tables .calls tbody tr")


def plates(page: Page) -> dict[str, Any]:
    """Return the text of each plate by its name."""
    names = page.locator(".plate title").all_text_contents()
    texts = page.locator(".plate").evaluate_all("all => all.map(one => one.ariaLabel)")
    return dict(zip(names, texts, strict=True))


def test_the_map_draws_what_the_server_counts(page: Page, server: ServerProcess) -> None:
    """Services, what they call, rates and failures; the table holds the same."""
    open_map(page, server)
    told = server.get("/api/v1/services/map")
    known = {one["name"]: one for one in told["services"]}

    drawn = plates(page)
    assert set(known) <= set(drawn)
    assert "postgresql/shop" in drawn
    assert page.locator(".flow").count() == len(told["edges"])
    share = 100 * known["checkout"]["errors"] / known["checkout"]["requests"]
    assert f"{share:.0f} % failed" in drawn["checkout"]
    assert page.locator(".plate.bad title").count() > 0

    page.click("button:has-text('Table')")
    wait_for(lambda: page.locator(".calls tbody tr").count() == len(told["edges"]), "each call")
    assert params(page)["view"] == "table"


def test_a_service_is_reached_by_keys_and_leads_to_its_traces_and_logs(
    page: Page, server: ServerProcess
) -> None:
    open_map(page, server, "?q=-trace:5b8efff798038103d269b633813fc60c")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".node-panel h2:has-text('shop-web')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".node-panel h2:has-text('checkout')")
    assert "shop-web" in page.locator(".node-panel .section", has_text="Called by").inner_text()
    page.click(".node-panel button:has-text('1 hop')")
    wait_for(lambda: page.locator(".plate").count() == 4, "its neighbours")

    page.keyboard.press("t")
    wait_for(lambda: path(page) == "/traces", "its traces")
    assert params(page)["q"] == "service=checkout"
    wait_for(lambda: len(listed(page)) == 100, "the traces")
    page.go_back()
    page.wait_for_selector(".node-panel h2:has-text('checkout')")
    page.keyboard.press("l")
    wait_for(lambda: path(page) == "/logs", "its logs")
    assert params(page)["q"] == "service=checkout"


def test_only_the_map_fetches_the_layout_and_draws_at_most_200(
    page: Page, empty_server: ServerProcess
) -> None:
    """What is not drawn is counted; the table has every service."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    tell_star(empty_server, 220)

    page.goto(f"{empty_server.url}/traces")
    page.wait_for_selector(".traces-table tbody tr")
    assert not any("layout" in url for url in asked)
    page.click(".rail a:has-text('Map')")
    page.wait_for_selector(".plate")

    assert any("layout.worker" in url for url in asked)
    assert page.locator(".plate").count() == DRAWN_MAX
    assert page.locator(".map-table tbody tr").count() == 221
    assert "+21 more" in page.locator(".map-side .toolbar").inner_text()


def test_a_time_without_spans_says_so(page: Page, empty_server: ServerProcess) -> None:
    page.goto(f"{empty_server.url}/map")
    page.click(".empty button")

    page.wait_for_selector(".first-trace")
