"""The page about X-Ray without AWS, typed as it stands."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from clerestory.cli.env import placeholders, variables
from tests.server.xray.segments import until

PAGE = (Path(__file__).parents[4] / "docs/how-to/xray-locally.md").read_text()
FOLDER = Path(sys.executable).parent
pytest.importorskip("aws_xray_sdk")


@pytest.mark.skipif(not (FOLDER / "aws").exists(), reason="the aws cli is not installed")
def test_the_commands_of_the_page_can_be_typed(tmp_path):
    """Who copies them has a rule and a group in a minute, or never comes back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    block = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0]
    block = block.replace("4318", port).replace("pip install 'clerestory[server]'\n", "")
    block = block.replace("clerestory up &", f"clerestory up --port {port} & trap 'kill $!' EXIT")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "HOME": str(tmp_path),
        "PATH": f"{FOLDER}:{os.environ['PATH']}",
        "CLERESTORY_ENDPOINT": f"http://127.0.0.1:{port}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }

    done = subprocess.run(
        ["bash", "-eu", "-c", block], env=environ, cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert '"FilterExpression": "service(\\"backend-flask\\")"' in done.stdout
    assert '"FixedRate": 0.5' in done.stdout


def test_the_program_of_the_page_is_traced(server):
    """Its annotation finds it, as the page says."""
    program = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    program += "\napp.test_client().get('/api/activities/page-reader')\n"
    daemon = server.get("/api/v1/status")["xray_address"]
    bare = {"PATH": os.environ["PATH"]}

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60,
        env=bare | variables(server.url, xray=daemon) | placeholders(bare),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (found,) = until(
        lambda: server.get("/api/v1/traces", q="annotation.handle:page-reader")["traces"]
    )
    assert found["service"] == "backend-flask"
