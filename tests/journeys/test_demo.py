"""The demo on real programs: made = stored = searchable."""

import re
import socket

import pytest

from tests.cli.shell import Shell


@pytest.mark.slow
def test_nothing_that_three_real_programs_log_is_lost(tmp_path):
    """The main job, end to end: it must hold on the machine at hand, not only on paper."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = Shell(tmp_path).run("demo", "--for", "5s", "--port", port)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"port {port} is taken; using a free one" in done.stdout
    table = dict(
        re.findall(r"^(shop|trainer|otel-app) +(\d+ +\d+ +\d+)$", done.stdout, re.MULTILINE)
    )
    assert sorted(table) == ["otel-app", "shop", "trainer"]
    for numbers in table.values():
        made, stored, searchable = map(int, numbers.split())
        assert 0 < made == stored == searchable
