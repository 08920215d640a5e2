"""The docs say what the code does: pages in step, examples that run, links that lead somewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_EXAMPLE = re.compile(r"^```python test\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _examples() -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}-{number}", code)
        for page in PAGES
        for number, code in enumerate(_EXAMPLE.findall(page.read_text(encoding="utf-8")), 1)
    ]


def test_the_reference_pages_are_in_step_with_settings_and_commands():
    """Run `make docs` after a change of the table or of a command."""
    assert _reference().out_of_step() == []


@pytest.mark.parametrize(("name", "code"), _examples(), ids=[name for name, _ in _examples()])
def test_an_example_of_the_docs_runs(name, code, tmp_path):
    """Readers copy them."""
    environ = {key: value for key, value in os.environ.items() if "CLERESTORY" not in key}
    environ["CLERESTORY_SPOOL_DIRECTORY"] = str(tmp_path / "spool")
    environ["CLERESTORY_ENDPOINT"] = "http://127.0.0.1:9"
    environ["CLERESTORY_SHUTDOWN_TIMEOUT"] = "0.1"
    environ["PYTHONPATH"] = str(ROOT / "src")
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environ, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, f"{name}: {done.stderr}"
    assert "Traceback" not in done.stderr or "exception" in code, done.stderr


def test_every_link_between_pages_leads_somewhere():
    """A broken link is the first thing that a reader meets."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists() and target != "docs/logs.png"
    ]

    assert broken == []
