"""Run a server from the command line: `python -m clerestory.server --data-dir D --port P`.

What is not given comes from the environment, the settings file or the table of settings.
"""

import argparse
import sys
from typing import Any

from clerestory.model.errors import ClerestoryError
from clerestory.server.limits import given_arguments, options_from
from clerestory.server.run import serve
from clerestory.settings import load


def main(arguments: list[str] | None = None) -> int:
    """Run a server and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m clerestory.server", description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--xray-address", metavar="HOST:PORT")
    parser.add_argument("--otlp-grpc-address", metavar="HOST:PORT")
    parser.add_argument("--retention-days", type=int)
    parser.add_argument("--disk-free-bytes-min", type=int)
    parser.add_argument("--allow-host", action="append", metavar="NAME")
    given = vars(parser.parse_args(arguments))
    names = given.pop("allow_host")
    given["hosts_allowed"] = ",".join(names) if names else None
    try:
        return serve(
            options_from(load(given_arguments(given))),
            on_ready=_tell,
        )
    except ClerestoryError as error:
        print(f"clerestory: {error}", file=sys.stderr)
        return 1


def _tell(url: str, doors: list[dict[str, Any]]) -> None:
    print(f"clerestory listens on {url}", flush=True)
    for door in doors:
        if not door["open"]:
            print(f"clerestory: no {door['what']}: {door['why']}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
