"""Run a server from the command line: `python -m clerestory.server --data-dir D --port P`."""

import argparse
import os
import sys
from pathlib import Path

from clerestory.model.errors import ClerestoryError
from clerestory.server.run import ServerOptions, serve


def main(arguments: list[str] | None = None) -> int:
    """Run a server and return its exit code."""
    home = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    parser = argparse.ArgumentParser(prog="python -m clerestory.server", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=home / "clerestory")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4318)
    parser.add_argument("--retention-days", type=int, default=30)
    parser.add_argument("--disk-free-bytes-min", type=int, default=1024**3)
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME")
    given = parser.parse_args(arguments)
    options = ServerOptions(
        data_dir=given.data_dir,
        host=given.host,
        port=given.port,
        retention_days=given.retention_days,
        disk_free_bytes_min=given.disk_free_bytes_min,
        hosts_allowed=tuple(name.lower() for name in given.allow_host),
    )
    try:
        return serve(
            options, on_ready=lambda url: print(f"clerestory listens on {url}", flush=True)
        )
    except ClerestoryError as error:
        print(f"clerestory: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
