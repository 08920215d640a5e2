"""One server for the module, and programs that run against it."""

import os
import subprocess
import sys

import pytest

from clerestory.cli.env import placeholders, variables
from tests.server.xray.conftest import client
from tests.support.server import ServerProcess


@pytest.fixture(scope="package")
def server():
    with ServerProcess() as running:
        yield running


@pytest.fixture(scope="package")
def xray(server):
    return client(server.url)


@pytest.fixture(scope="package")
def environment(server, tmp_path_factory):
    """What `clerestory env` prints, and no more of this process than it takes."""
    bare = {"PATH": os.environ["PATH"]}
    daemon = server.get("/api/v1/status")["xray_address"]
    home = {
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path_factory.mktemp("spool")),
        "CLERESTORY_ENDPOINT": server.url,
        "CLERESTORY_DESTINATIONS": "server",
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    return bare | variables(server.url, xray=daemon) | placeholders(bare) | home


@pytest.fixture(scope="package")
def run(environment):
    """Run a program; return what it printed last."""

    def run_program(text, **more):
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", text],
            env=environment | more, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return run_program
