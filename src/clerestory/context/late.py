"""What is done to a module when the program imports it: nothing is imported for its sake.

[late] -> carrying, OpenTelemetry's API
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_waiting: Final[dict[str, Callable[[Any], None]]] = {}


def after_import(name: str, action: Callable[[Any], None]) -> None:
    """Do something with a module: now if it is loaded, else once the program imports it."""
    module = sys.modules.get(name)
    if module is not None:
        action(module)
        return
    _waiting[name] = action
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


class _AfterImport(MetaPathFinder):
    """Finds the modules that are waited for, with a loader that tells."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is waited for, None for all others."""
        action = _waiting.pop(fullname, None)
        spec = PathFinder.find_spec(fullname, path, target) if action is not None else None
        if action is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            action(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
