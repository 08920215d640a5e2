"""What the settings say about requests and workers, put in force.

settings -> [web] -> rules of requests, frameworks and Celery as the program imports them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerestory.context.late import after_import
from clerestory.integrations import stdlib
from clerestory.integrations.web import rules
from clerestory.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clerestory.settings import Settings


def prepare_web(settings: Settings, entries: Iterable[Any]) -> None:
    """Put in force how requests are recorded, and wrap frameworks if that is wanted.

    Args:
        settings: The settings.
        entries: What is named under `destinations`, or the defaults.

    Raises:
        ConfigurationError: A trusted proxy is neither an address nor a network.
    """
    kinds = [entry.get("type") if isinstance(entry, dict) else entry for entry in entries]
    try:
        found = rules.rules_of(settings, has_console="console" in kinds)
    except ValueError as error:
        raise ConfigurationError(f"web.trusted_proxies: {error}") from error
    rules.put_in_force(found)
    if settings["web.capture"]:
        from clerestory.integrations.web import hooks

        hooks.install()


def prepare_workers(settings: Settings, shut_down: Callable[[], object]) -> None:
    """Let the tasks of Celery carry the fields of who sends them, if fields are carried at all.

    Args:
        settings: The settings.
        shut_down: Delivers what a process has recorded, before it ends.
    """
    if not settings["context.carry"]:
        return

    def set_levels() -> None:
        stdlib.set_levels(settings["level"], settings["levels"])

    def connect(signals: Any) -> None:
        from clerestory.integrations import celery

        celery.connect(signals, set_levels, shut_down)

    after_import("celery.signals", connect)
