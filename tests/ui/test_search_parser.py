"""The page's parser reads the shared table of searches as the server does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"


def test_the_parser_of_the_page_agrees_with_the_shared_table() -> None:
    npm = shutil.which("npm")
    if not npm or not (WEB / "node_modules").is_dir():
        if os.environ.get("CI"):
            pytest.fail("npm or web/node_modules is missing")
        pytest.skip("npm or web/node_modules is missing, the page's parser is NOT tested")

    done = subprocess.run([npm, "test"], cwd=WEB, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:]
