"""Calls of other packages as subsegments, by OpenTelemetry's instrumentations of them.

    patch(("requests",)) -> [patching] -> instrumentation -> span inside the segment

Invariant: a package that nothing is there for is an error that says what to install.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.wire import propagation

if TYPE_CHECKING:
    from collections.abc import Iterable

# AWS's name of a package, and the instrumentation that does it.
_OTEL: Final = {
    "aiobotocore": ("aiobotocore", "AiobotocoreInstrumentor"),
    "botocore": ("botocore", "BotocoreInstrumentor"),
    "httplib": ("urllib", "URLLibInstrumentor"),
    "httpx": ("httpx", "HTTPXClientInstrumentor"),
    "mysql": ("mysql", "MySQLInstrumentor"),
    "psycopg": ("psycopg", "PsycopgInstrumentor"),
    "psycopg2": ("psycopg2", "Psycopg2Instrumentor"),
    "pymongo": ("pymongo", "PymongoInstrumentor"),
    "pymysql": ("pymysql", "PyMySQLInstrumentor"),
    "requests": ("requests", "RequestsInstrumentor"),
    "sqlalchemy_core": ("sqlalchemy", "SQLAlchemyInstrumentor"),
    "sqlite3": ("sqlite3", "SQLite3Instrumentor"),
}
_OTHER_NAMES: Final = {"boto3": "botocore", "aioboto3": "aiobotocore"}
_patched: Final[set[str]] = set()
_log: Final = logging.getLogger("clerestory.xray")


def patch(
    modules_to_patch: Iterable[str],
    raise_errors: bool = True,
    ignore_module_patterns: Iterable[str] | None = None,
) -> None:
    """Make a subsegment of each call that these packages make, and send the header along.

    Args:
        modules_to_patch: Of aiobotocore, boto3, botocore, httplib, httpx, mysql, psycopg, psycopg2,
            pymongo, pymysql, requests, sqlalchemy_core and sqlite3.
        raise_errors: Whether one that cannot be is an error; else it is logged.
        ignore_module_patterns: Means nothing here.

    Raises:
        ConfigurationError: One is not known, or its instrumentation is not installed; the others
            are patched.
    """
    if ignore_module_patterns:
        raise ConfigurationError("xray patch: ignore_module_patterns means nothing here")
    names = modules_to_patch.split(",") if isinstance(modules_to_patch, str) else modules_to_patch
    troubles = [
        trouble
        for name in dict.fromkeys(_OTHER_NAMES.get(one.strip(), one.strip()) for one in names)
        if (trouble := _patch(name))
    ]
    if troubles and raise_errors:
        raise ConfigurationError("xray patch: " + "; ".join(troubles))
    for trouble in troubles:
        _log.info("xray patch_all: %s", trouble)


def patch_all(double_patch: bool = False) -> None:
    """Patch all of these packages that can be; what cannot be is logged at INFO.

    Args:
        double_patch: Whether `httplib`, too, which others are built on.
    """
    patch([name for name in _OTEL if double_patch or name != "httplib"], raise_errors=False)


def _patch(name: str) -> str:
    """Patch a package; return what is in the way."""
    if name in _patched:
        return ""
    if name not in _OTEL:
        return (
            f"{name!r} cannot be patched: known are {', '.join(sorted(_OTEL))}; around functions "
            "of your own put @xray_recorder.capture()"
        )
    package, kind = _OTEL[name]
    try:
        propagators = import_module("clerestory.integrations.opentelemetry.propagators")
        module = import_module(f"opentelemetry.instrumentation.{package}")
    except ImportError as error:
        return (
            f"{name!r} is patched by opentelemetry-instrumentation-{package}, which cannot be "
            f"imported ({error}): pip install opentelemetry-instrumentation-{package}"
        )
    instrumentor: Any = getattr(module, kind)()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()
    _patched.add(name)
    propagation.add_form("xray")
    propagators.add("xray")
    return ""
