"""What `clerestory up` says when it starts: its addresses, and what is not there."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.request import urlopen

from tests.cli.shell import Shell

# A server whose addresses nobody asked for, as those are that have their defaults.
UNASKED = """
import sys
from pathlib import Path

sys.modules["grpc"] = None  # as where it is not installed

from clerestory.cli.up import tell_doors
from clerestory.server.run import ServerOptions, serve

def tell(url, doors):
    tell_doors(doors)
    print(url, flush=True)

serve(
    ServerOptions(data_dir=Path(sys.argv[1]), port=0, xray_address=sys.argv[2]), on_ready=tell
)
"""


@contextmanager
def stopping(process):
    """Stop a server, and keep what it says until then."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.told, process.warned = process.communicate(timeout=30)


def up(tmp_path, address):
    """Start a server with one address for X-Ray and for gRPC, a port of its own each."""
    shell = Shell(tmp_path)
    shell.environ |= {
        "CLERESTORY_SERVER_XRAY_ADDRESS": address,
        "CLERESTORY_SERVER_OTLP_GRPC_ADDRESS": address,
    }
    return stopping(shell.start("up", "--port", "0", "--data-dir", str(tmp_path / "data")))


def doors(url):
    with urlopen(f"{url}/api/v1/status", timeout=10) as answer:
        return {one["what"]: one for one in json.load(answer)["doors"]}


def test_up_prints_every_address_that_it_listens_on(tmp_path):
    """That of the page, of the X-Ray daemon and of OTLP over gRPC, as the status has them."""
    with up(tmp_path, "127.0.0.1:0") as one:
        lines = [one.stdout.readline().strip() for _ in range(4)]
        url = lines[0].removeprefix("clerestory: open ")
        found = doors(url)

    grpc, daemon = found["OTLP logs and traces over gRPC"], found["X-Ray daemon, UDP and TCP"]
    assert lines[1:3] == [
        f"OTLP logs and traces over gRPC: {grpc['address']}",
        f"X-Ray daemon, UDP and TCP: {daemon['address']}",
    ]
    assert "records are kept in" in lines[3]
    assert all(one["open"] and not one["why"] for one in found.values())
    assert found["records"]["address"] == url.removeprefix("http://")
    assert all(one["address"].endswith(f":{one['port']}") for one in found.values())
    for address in (grpc["address"], daemon["address"]):
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
    assert (one.returncode, one.warned) == (0, "")


def test_up_says_what_is_not_there_and_why_in_a_line_each(tmp_path):
    """A port that is taken, a package that is not installed; the server goes on without."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        command = [sys.executable, "-c", UNASKED, str(tmp_path), taken]
        environ = Shell(tmp_path).environ
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with stopping(process) as one:
            assert one.stdout is not None
            url = one.stdout.readline().strip()
            found = doors(url)
            advice = Shell(tmp_path, url).run("doctor").stdout

    grpc, daemon = found["OTLP logs and traces over gRPC"], found["X-Ray daemon, UDP and TCP"]
    assert not grpc["open"]
    assert (daemon["open"], daemon["address"]) == (False, taken)
    assert found["records"]["open"]
    assert one.warned.splitlines() == [
        f"no OTLP logs and traces over gRPC: {grpc['why']}",
        f"no X-Ray daemon, UDP and TCP: {daemon['why']}",
    ]
    assert all(line in advice for line in one.warned.splitlines())
    assert grpc["why"] == "grpcio is not installed: pip install 'clerestory[grpc]'"
    assert daemon["why"].startswith(f"cannot listen on {taken} for X-Ray")


def test_what_is_turned_off_is_no_door(tmp_path):
    """Nobody misses it."""
    with up(tmp_path, "off") as one:
        lines = [one.stdout.readline().strip() for _ in range(2)]
        found = doors(lines[0].removeprefix("clerestory: open "))

    assert "records are kept in" in lines[1]
    assert set(found) == {"records", "OTLP logs over HTTP", "OTLP traces over HTTP"}
    assert one.warned == ""
