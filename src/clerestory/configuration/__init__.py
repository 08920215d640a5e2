"""`configure()`: from settings to running pipelines. The only joiner.

settings -> [configuration] -> spool, couriers, destinations; loggers, redaction, gates
"""

from clerestory.configuration.program import (
    configure,
    flush,
    name_service,
    shutdown,
    start_defaults,
    start_road,
    stats,
)

__all__ = [
    "configure",
    "flush",
    "name_service",
    "shutdown",
    "start_defaults",
    "start_road",
    "stats",
]
