"""axe finds nothing serious on the pages of traces, in either theme, whatever is open."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.server import ServerProcess
from tests.ui.test_accessibility import AXE, serious
from tests.ui.traces.telling import STORY

PAGES = (
    ("/traces?q=status:error", ".traces-table tbody tr", ""),
    ("/traces?q=service:nobody", ".empty button", ""),
    (f"/traces/{STORY}?span=0000000000000004", ".against .spread", ""),
    ("/map?node=service+checkout", ".node-panel", ""),
    ("/map?view=table", ".calls tbody tr", ""),
    ("/sampling", ".rules tbody tr", "New rule"),
    ("/sampling", ".rules tbody tr", "New group"),
)
# The further views of a trace are made of the same parts, so that each is seen in one theme.
VIEWS = (
    (f"/traces/{STORY}?view=services", ".sheet-row", "", "dark"),
    (f"/traces/{STORY}?view=table&only=service:0000000000000004", ".sheet-row", "", "light"),
)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("place", "ready", "button", "theme"),
    [*((*one, theme) for one in PAGES for theme in ("light", "dark")), *VIEWS],
)
def test_axe_finds_nothing_serious(
    browser: Browser, server: ServerProcess, place: str, ready: str, button: str, theme: Any
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm ci in web/")
    # Only here may the policy be passed by: axe itself is an injected script.
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=theme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(server.url + place)
    page.wait_for_selector(ready)
    page.wait_for_selector(".status .state")
    if button:
        page.click(f"text={button}")
        page.wait_for_selector("dialog[open]")
    wrong = serious(page)
    context.close()

    assert wrong == []
