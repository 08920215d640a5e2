"""Sampling rules and groups, through the X-Ray API that programs use, too."""

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.server import ServerProcess
from tests.ui.conftest import wait_for
from tests.ui.traces.telling import listed, params


def xray(server: ServerProcess, operation: str, **body: Any) -> dict[str, Any]:
    """Return what the X-Ray API answers."""
    headers = {"Content-Type": "application/json"}
    answer = server.call("POST", f"/{operation}", json.dumps(body).encode(), headers)[1]
    found: dict[str, Any] = json.loads(answer)
    return found


def rules(server: ServerProcess) -> dict[str, dict[str, Any]]:
    records = xray(server, "GetSamplingRules")["SamplingRuleRecords"]
    return {one["SamplingRule"]["RuleName"]: one["SamplingRule"] for one in records}


def test_a_rule_is_made_changed_and_deleted(page: Page, server: ServerProcess) -> None:
    """What the page stores is what a program that asks for its rules is told."""
    page.goto(f"{server.url}/sampling")
    page.wait_for_selector(".rules tbody tr:has-text('Default')")
    page.click("button:has-text('New rule')")
    page.fill("#RuleName", "checkout")
    page.fill("#Priority", "7")
    page.fill("#FixedRate", "0.25")
    page.fill("#ServiceName", "check*")
    page.click("dialog button:has-text('Store')")
    page.wait_for_selector(".rules tbody tr:has-text('check*')")
    stored = rules(server)["checkout"]
    assert (stored["Priority"], stored["FixedRate"], stored["ServiceName"]) == (7, 0.25, "check*")
    assert page.locator(".rules tbody tr").first.locator("td").first.inner_text() == "checkout"

    page.click("button[aria-label='Edit checkout']")
    page.fill("#ReservoirSize", "5")
    page.keyboard.press("Enter")
    wait_for(lambda: rules(server)["checkout"]["ReservoirSize"] == 5, "the change")
    wait_for(lambda: page.locator("dialog").count() == 0, "the form closes")

    page.click("button[aria-label='Delete checkout']")
    page.click("dialog button:has-text('Delete')")
    wait_for(lambda: "checkout" not in rules(server), "the rule is gone")
    wait_for(lambda: page.locator(".rules tbody tr").count() == 1, "its line is gone")


@pytest.mark.browser
def test_a_group_narrows_traces_and_a_wrong_one_says_why(
    context: BrowserContext, server: ServerProcess
) -> None:
    """The message stands at the field; a group can be chosen as soon as it is stored."""
    # The browser writes of every refused request into its console, so none is kept clean here.
    page = context.new_page()
    refused: list[int] = []
    page.on("response", lambda answer: refused.append(answer.status))
    page.goto(f"{server.url}/sampling")
    page.wait_for_selector(".rules tbody tr")
    page.click("button:has-text('New group')")
    page.fill("#GroupName", "failed")
    page.fill("#FilterExpression", "fault =")
    page.click("dialog button:has-text('Store')")
    page.wait_for_selector("#FilterExpression-wrong")
    assert page.locator("#FilterExpression").get_attribute("aria-invalid") == "true"
    assert 400 in refused
    page.fill("#FilterExpression", "fault = true OR error = true")
    page.click("dialog button:has-text('Store')")
    page.click(".groups a:has-text('failed')")

    page.wait_for_selector(".traces-table tbody tr")
    wait_for(lambda: page.locator("select[aria-label=Group]").count() == 1, "the choice")
    assert params(page)["group"] == "failed"
    wanted = server.get("/api/v1/traces", group="failed", limit=100)["traces"]
    assert 0 < len(wanted) < 100
    wait_for(lambda: listed(page) == [one["trace_id"] for one in wanted], "the group's traces")
    page.select_option("select[aria-label=Group]", "")
    wait_for(lambda: len(listed(page)) == 100, "all traces")
    xray(server, "DeleteGroup", GroupName="failed")
