"""The Health page: what programs say about their delivery, as they say it."""

import json
import time
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page

from tests.support.server import ServerProcess


def report(server: ServerProcess, service: str, destinations: dict[str, Any]) -> None:
    """Send one record with what a program counted."""
    counts = {"made_records": 12345, "backlog_bytes": 0, "destinations": destinations}
    resource = {"service.name": service, "host.name": "box", "process.pid": 1}
    line = json.dumps({"timestamp": time.time_ns(), "level": "INFO", "message": "m"})
    headers = {
        "Clerestory-Spool": service.encode().hex().ljust(32, "0")[:32],
        "Clerestory-First": "0",
        "Clerestory-Resource": quote(json.dumps(resource)),
        "Clerestory-Stats": quote(json.dumps(counts)),
    }
    assert server.call("POST", "/v1/records", line.encode(), headers)[0] == 200


def counts(**changes: Any) -> dict[str, Any]:
    """Return what one destination counts."""
    same = {"sent_records": 7, "retries": 0, "dead_lettered": 0, "oldest_age_s": 0.0}
    return {**same, "hold": False, "worker_alive": True, "last_error": "", **changes}


def test_a_held_destination_shows_why_and_since_when(
    page: Page, empty_server: ServerProcess
) -> None:
    """Whoever opens the page sees at once what must be done."""
    held = counts(hold=True, oldest_age_s=734.0, last_error="add logs:PutLogEvents to the policy")
    report(empty_server, "shop", {"server": counts(), "cloudwatch-shop": held})

    page.goto(f"{empty_server.url}/system")
    row = page.locator(".destinations tr", has_text="cloudwatch-shop")
    row.wait_for()

    text = row.inner_text()
    assert "held: somebody has to act" in text
    assert "add logs:PutLogEvents" in text
    assert "12 m 14 s" in text
    assert "delivering" in page.locator(".destinations tr", has_text="server").inner_text()


def test_names_from_outside_stay_text(page: Page, empty_server: ServerProcess) -> None:
    """A service may call itself anything; it never becomes markup."""
    report(empty_server, "<img src=x onerror=alert(1)>", {"d": counts(last_error="\x1b[31m<b>")})

    page.goto(f"{empty_server.url}/system")
    page.locator(".program").wait_for()

    assert page.locator(".program img, .program .help-text b").count() == 0
    assert "<img src=x" in page.locator(".program h3").inner_text()
    assert "\\e[31m<b>" in page.locator(".destinations .help-text").inner_text()


def test_before_any_report_the_page_says_when_there_will_be_one(
    page: Page, empty_server: ServerProcess
) -> None:
    """An empty table would look broken."""
    page.goto(f"{empty_server.url}/system")

    page.get_by_text("No program has reported yet").wait_for()
