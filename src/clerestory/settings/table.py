"""Every setting there is, in one table.

    program, server -> [table] -> load -> Settings
                               -> docs/reference/settings.md, `clerestory config`

Invariant: docs, `clerestory config` and the loader read this table and nothing else.
"""

from typing import Final

from clerestory.settings.program import DELIVERY, GENERAL, OUTPUT, PROCESS
from clerestory.settings.server import SERVER
from clerestory.settings.setting import Setting, environment_name
from clerestory.settings.tracing import TRACE
from clerestory.settings.web import WEB

__all__ = ["BY_KEY", "SETTINGS", "Setting", "environment_name"]

SETTINGS: Final[tuple[Setting, ...]] = GENERAL + PROCESS + TRACE + WEB + DELIVERY + OUTPUT + SERVER
BY_KEY: Final[dict[str, Setting]] = {setting.key: setting for setting in SETTINGS}
