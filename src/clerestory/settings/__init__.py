"""The one table of settings, and where each value came from.

    arguments, environment, file -> [settings] -> the pipeline, the server, the command line

Invariant: a setting that is not in the table does not exist, and one that is misspelt is an
error which names the nearest known key.
"""

from clerestory.settings.load import Settings, ignored_environment, load
from clerestory.settings.table import BY_KEY, SETTINGS, Setting, environment_name

__all__ = [
    "BY_KEY",
    "SETTINGS",
    "Setting",
    "Settings",
    "environment_name",
    "ignored_environment",
    "load",
]
