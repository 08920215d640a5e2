"""The query language of CloudWatch Logs Insights, run on our store.

    text -> language (lexer, reader, expressions, parser) -> tree
         -> builder, calls, commands/, functions/ -> program -> run -> api

`run` runs a query, `compile_query` checks one, `manual` prints the reference, `completions` tells
an editor what there is.

Invariant: what is not supported is an error that names it; it never returns rows.
"""

from clerestory.server.insights.columns import Scope, Source, Sources
from clerestory.server.insights.language.parser import is_query
from clerestory.server.insights.manual import cheat_sheet, completions, manual
from clerestory.server.insights.program import Program, Question, compile_query
from clerestory.server.insights.run import (
    Bounds,
    Cancellation,
    ExecutionError,
    Result,
    Statistics,
    execute,
    place_of,
    run,
    verify,
)

__all__ = [
    "Bounds",
    "Cancellation",
    "ExecutionError",
    "Program",
    "Question",
    "Result",
    "Scope",
    "Source",
    "Sources",
    "Statistics",
    "cheat_sheet",
    "compile_query",
    "completions",
    "execute",
    "is_query",
    "manual",
    "place_of",
    "run",
    "verify",
]
