"""axe finds nothing serious, on any page, in either theme; colours keep their contrast."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.server import ServerProcess

WEB = Path(__file__).parents[2] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
TOKENS = WEB / "src" / "style" / "tokens.css"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
GROUNDS = ("--bg", "--raised", "--hover", "--selected")
INKS = ("--text", "--muted", "--accent", "--ok")
LEVELS = (
    "trace",
    "debug",
    "verbose",
    "info",
    "notice",
    "warn",
    "error",
    "alert",
    "fatal",
    "emergency",
)
PAGES = (
    "/logs?live=0",
    "/logs?live=0&sel=",
    "/query",
    "/query?query=stats+count(*)+by+bin(1m),+level",
    "/query?query=stats+count(*)+by+service",
    "/query?query=stats+cont(*)+by+level",
    "/query?query=fields+@timestamp,+message&sel=",
    "/welcome",
    "/system",
    "/settings",
)


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(
    browser: Browser, server: ServerProcess, path: str, theme: Any
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm ci in web/")
    if path.endswith("sel="):
        path += server.rows("level:error")[-1]["id"]
    # Only here may the policy be passed by: axe itself is an injected script.
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=theme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(server.url + path)
    page.wait_for_selector(".status .state")
    if path.startswith("/query"):
        page.wait_for_selector(".query-editor[data-ready=true]")
        page.wait_for_selector(".result-row, .samples, .fault")
    page.wait_for_timeout(400)
    wrong = serious(page)
    context.close()

    assert wrong == []


def serious(page: Page) -> list[Any]:
    """Return what axe finds serious or critical on a page as it is, with the parts it means."""
    page.add_script_tag(path=AXE)
    found = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    return [
        (one["id"], one["impact"], [node["html"][:160] for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def _themes() -> dict[str, dict[str, str]]:
    text = TOKENS.read_text()
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", text)
    found: dict[str, dict[str, str]] = {}
    for head, body in blocks:
        theme = "night" if "night" in head else "system night" if "not(" in head else "day"
        pairs = re.findall(r"(--[\w-]+):\s*(#[0-9a-f]{6})", body)
        found.setdefault(theme, {}).update(pairs)
    return found


def _luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["day", "night", "system night"])
def test_every_ink_can_be_read_on_every_ground(theme: str) -> None:
    tokens = _themes()[theme]
    inks = [*INKS, *(f"--level-{level}" for level in LEVELS)]

    worst = min(
        (contrast(tokens[ink], tokens[ground]), ink, ground) for ink in inks for ground in GROUNDS
    )

    assert worst[0] >= 4.5, worst


@pytest.mark.parametrize("theme", ["day", "night"])
def test_bars_and_borders_stand_out_from_the_sheet(theme: str) -> None:
    tokens = _themes()[theme]
    bars = [name for name in tokens if name.startswith("--bar-")] + ["--border"]

    assert min((contrast(tokens[name], tokens["--bg"]), name) for name in bars)[0] >= 3.0


def test_a_chosen_night_is_the_systems_night() -> None:
    themes = _themes()

    assert themes["night"] == themes["system night"]
