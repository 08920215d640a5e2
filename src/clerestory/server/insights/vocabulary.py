"""Every command and every function, gathered from their files.

    commands, functions -> [vocabulary] -> registry

Invariant: a name stands for one thing, in whatever case it is written.
"""

from collections.abc import Mapping
from typing import Final

from clerestory.server.insights.commands import (
    combining,
    parsing,
    patterns,
    refused,
    rows,
    series,
    stats,
    structures,
)
from clerestory.server.insights.functions import (
    addresses,
    aggregates,
    dates,
    general,
    hashes,
    json,
    numbers,
    texts,
)
from clerestory.server.insights.registry import Command, Function

FAMILIES: Final = (
    rows.COMMANDS,
    stats.COMMANDS,
    parsing.COMMANDS,
    structures.COMMANDS,
    patterns.COMMANDS,
    combining.COMMANDS,
    series.COMMANDS,
    refused.COMMANDS,
)
GROUPS: Final = (
    general.FUNCTIONS,
    numbers.FUNCTIONS,
    texts.FUNCTIONS,
    dates.FUNCTIONS,
    json.FUNCTIONS,
    addresses.FUNCTIONS,
    hashes.FUNCTIONS,
    aggregates.FUNCTIONS,
)

COMMANDS: Final[Mapping[str, Command]] = {
    command.name.lower(): command for family in FAMILIES for command in family
}
FUNCTIONS: Final[Mapping[str, Function]] = {
    function.name.lower(): function for group in GROUPS for function in group
}
