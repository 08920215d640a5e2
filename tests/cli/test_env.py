"""`clerestory env`, and the page that shows it, typed as they stand."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.shell import Shell
from tests.support.server import ServerProcess

PAGE = Path(__file__).parents[2] / "docs/how-to/ci-without-aws.md"


def test_dotenv_lines_have_quotes_only_where_a_value_needs_them(tmp_path):
    """GitHub's $GITHUB_ENV and `docker --env-file` take quotes for a part of the value."""
    shell = Shell(tmp_path, "http://127.0.0.1:9")

    plain = shell.run("env", "--format", "dotenv")
    spaced = shell.run("env", "--format", "dotenv", "--service", "a shop")

    assert "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://127.0.0.1:9\n" in plain.stdout
    assert '"' not in plain.stdout
    assert 'CLERESTORY_SERVICE="a shop"\n' in spaced.stdout


def test_x_ray_s_clients_are_pointed_at_the_server(tmp_path):
    """They ask for an address of their own, which the server knows; `off` names none."""
    with ServerProcess() as server:
        daemon = server.get("/api/v1/status")["xray_address"]
        told = Shell(tmp_path, server.url).run("env", "--format", "dotenv").stdout
        ran = Shell(tmp_path, server.url).run("run", "--", "env").stdout

    for one in (told, ran):
        assert f"AWS_ENDPOINT_URL_XRAY={server.url}\n" in one
        assert f"AWS_XRAY_DAEMON_ADDRESS={daemon}\n" in one
    shell = Shell(tmp_path, "http://127.0.0.1:9")
    told = shell.run("env", "--format", "dotenv", CLERESTORY_SERVER_XRAY_ADDRESS="off").stdout
    assert "AWS_XRAY_DAEMON_ADDRESS" not in told


def test_the_page_about_tests_without_aws_can_be_typed(tmp_path):
    """Who copies it has an answer in a minute, or never comes back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    block = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    block = block.replace("4318", port).replace("pip install 'clerestory[server]'\n", "")
    block = block.replace("clerestory up &", f"clerestory up --port {port} & trap 'kill $!' EXIT")
    folder = str(Path(sys.executable).parent)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "HOME": str(tmp_path),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CLERESTORY_ENDPOINT": f"http://127.0.0.1:{port}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }

    done = subprocess.run(
        ["bash", "-eu", "-c", block], env=environ, cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert '\\"response_time_ms\\":12}"' in done.stdout
    assert re.search(r"^path  avg\(response_time_ms\)\n/a +12$", done.stdout, re.MULTILINE)
