"""What the tests of the query page do with it, and the queries that they ask."""

import json
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.support.server import ServerProcess

BY_SERVICE = "stats count(*) as records, max(number) as last by service | sort service asc"
OVER_TIME = "stats count(*) as records, avg(number) as mean by bin(1m), level"
RECORDS = "fields @timestamp, level, message, number | sort number asc | limit 200"


def open_query(page: Page, server: ServerProcess, query: str = "", **more: str) -> None:
    """Open the page; with a query, wait for its result."""
    params = {"query": query, **more} if query else more
    page.goto(f"{server.url}/query?{urlencode(params)}")
    page.wait_for_selector(".query-editor[data-ready=true]")
    if query:
        page.wait_for_selector(".row-count")


def written(page: Page) -> str:
    """Return the text of the editor."""
    return "\n".join(page.locator(".cm-line").all_inner_texts()).replace("\u200b", "")


def write(page: Page, text: str) -> None:
    """Put a text into the editor in place of what is there."""
    page.locator(".cm-content").focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def run(page: Page, text: str) -> None:
    """Write a query, run it by key and wait for its result."""
    write(page, text)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".results[aria-busy=false]:not(.stale) .row-count")


def params(page: Page) -> dict[str, str]:
    """Return the parameters of the address."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries(new URLSearchParams(location.search))"
    )
    return found


def cells(page: Page) -> list[list[str]]:
    """Return the texts of the rows on screen, top to bottom."""
    found: list[list[str]] = page.evaluate(
        """[...document.querySelectorAll('.result-row')]
        .sort((a, b) => a.dataset.place - b.dataset.place)
        .map(row => [...row.children].map(cell => cell.textContent))"""
    )
    return found


def asked(server: ServerProcess, query: str, start: str = "-1h") -> dict[str, Any]:
    """Return the server's own result of a query."""
    body = json.dumps({"query": query, "groups": [], "from": start, "to": "now"}).encode()
    status, answer = server.call(
        "POST", "/api/v1/insights", body, {"Content-Type": "application/json"}
    )[:2]
    assert status == 200, answer
    lines = [json.loads(line) for line in bytes(answer).splitlines()]
    result: dict[str, Any] = lines[-1]["result"]
    return result
