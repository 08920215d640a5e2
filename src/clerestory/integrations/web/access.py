"""Lines that servers write about requests that have a record of ours already.

    werkzeug, gunicorn, uvicorn -> logging -> [access] -> road, handlers

An access line is dropped where our record shows beside it: from our road always, from the server's
own handlers if the console is one of our destinations. The server's report of an exception that
was recorded on its way out is not recorded again, and its handlers print it as before.

Invariant: a line about anything else, or about a request that we did not see, is left as it is.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Final

from clerestory.integrations.web.rules import web_rules
from clerestory.process.lines import ELSEWHERE
from clerestory.tracing.spans import is_recorded

ACCESS_LOGGERS: Final = ("werkzeug", "gunicorn.access", "uvicorn.access")
ERROR_LOGGERS: Final = ("gunicorn.error", "uvicorn.error")
_WERKZEUG_LINE: Final = '] "%s" %s %s'
# In the task or thread that answered, until the server has written its line.
_served: ContextVar[bool] = ContextVar("clerestory_served", default=False)


def note_served() -> None:
    """Say that the request of this task or thread has a record of ours."""
    _served.set(True)


class _AccessFilter(logging.Filter):
    """Finds the access line of a request that has a record of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line goes on to handlers."""
        if record.name == "werkzeug" and not str(record.msg).endswith(_WERKZEUG_LINE):
            return _note_exception(record)
        if not _served.get() or record.levelno != logging.INFO:
            return True
        _served.set(False)
        rules = web_rules()
        if rules.keeps_access_lines or not rules.records:
            return True
        record.__dict__[ELSEWHERE] = True
        return not rules.has_console


class ErrorFilter(logging.Filter):
    """Finds reports of exceptions that are on the road."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line go on to handlers."""
        return _note_exception(record)


def _note_exception(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
    if error is not None and record.levelno >= logging.ERROR and is_recorded(error):
        record.__dict__[ELSEWHERE] = True
    return True


_ACCESS: Final = _AccessFilter()
_ERRORS: Final = ErrorFilter()


def watch_servers() -> None:
    """Look at what the servers log from now on."""
    for name in ACCESS_LOGGERS:
        logging.getLogger(name).addFilter(_ACCESS)
    for name in ERROR_LOGGERS:
        logging.getLogger(name).addFilter(_ERRORS)
