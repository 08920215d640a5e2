"""The query page: check a query, the language, fields, groups, saved queries.

    page, command line -> [insights] -> desk -> insights, catalog

Invariant: nothing here runs a query over records; `insights_asking` does.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from clerestory.model.errors import QueryError
from clerestory.server.api.insights_asking import (
    GROUPS_MAX,
    Answer,
    Asking,
    Runs,
    answering,
    body_of,
    places_of,
    time_of,
)

if TYPE_CHECKING:
    from clerestory.server.insights import Program

BASE: Final = "/api/v1/insights"
NAME_CHARACTERS_MAX: Final = 255
TEXT_CHARACTERS_MAX: Final = 10_000

# words of the language that are no command and no function
KEYWORDS: Final = (
    "and", "as", "asc", "by", "desc", "false", "in", "into", "like", "not", "offset", "or", "true",
)  # fmt: skip


class Desk(Asking, Protocol):
    """What stands behind the page."""

    def check(self, text: str) -> "Program":
        """Return the program of a query without running it."""

    def groups(self, prefix: str = "") -> list[dict[str, Any]]:
        """Return the groups whose names begin so, with how many records each has."""

    def fields(
        self, groups: Sequence[str] | None, *, start_ms: int, end_ms: int
    ) -> list[dict[str, Any]]:
        """Return the fields of some groups' records, or of all, most common first."""

    def saved(self) -> list[dict[str, Any]]:
        """Return the saved queries by name."""

    def save(
        self, name: str, text: str, groups: Sequence[str], identity: str | None
    ) -> dict[str, Any]:
        """Save a query; return the entry."""

    def remove(self, identity: str) -> None:
        """Remove a saved query."""


class CheckBody(msgspec.Struct, kw_only=True):
    """The body of a check."""

    query: str


class SaveBody(msgspec.Struct, kw_only=True):
    """The body of a query that is to be saved."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
    groups: Annotated[list[str], msgspec.Meta(max_length=GROUPS_MAX)] = msgspec.field(
        default_factory=list
    )
    id: str | None = None


@cache
def language() -> dict[str, Any]:
    """Return what can be written, for an editor: commands, functions, keywords."""
    from clerestory.server.insights import completions
    from clerestory.server.insights.registry import commands

    known = commands()
    offered = completions()
    return {
        "commands": [
            {
                "name": one.name,
                "syntax": one.detail,
                "summary": one.help,
                "example": known[one.name.lower()].example,
            }
            for one in offered
            if one.kind == "command"
        ],
        "functions": [
            {"name": one.name, "syntax": one.detail, "summary": one.help, "kind": one.kind}
            for one in offered
            if one.kind != "command"
        ],
        "keywords": list(KEYWORDS),
    }


class Insights:
    """Answers the requests of the query page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._runs = Runs(desk)

    def routes(self) -> list[Route]:
        """Return the routes."""
        asks: list[tuple[str, str, Answer]] = [
            ("POST", "", self._runs.run),
            ("POST", "/export", self._runs.export),
            ("POST", "/check", self._check),
            ("GET", "/language", self._language),
            ("GET", "/fields", self._fields),
            ("GET", "/groups", self._groups),
            ("GET", "/saved", self._saved),
            ("PUT", "/saved", self._save),
            ("DELETE", "/saved/{id}", self._remove),
        ]
        return [Route(BASE + path, answering(ask), methods=[way]) for way, path, ask in asks]

    async def _check(self, request: Request) -> dict[str, Any]:
        text = (await body_of(request, CheckBody)).query
        try:
            program = await asyncio.to_thread(self._desk.check, text)
        except QueryError as error:
            return {"errors": places_of(error), "commands": [], "chart": "none"}
        return {"errors": [], "commands": list(program.commands), "chart": program.chart}

    async def _language(self, request: Request) -> dict[str, Any]:  # noqa: ARG002
        return await asyncio.to_thread(language)

    async def _fields(self, request: Request) -> dict[str, Any]:
        params = request.query_params
        groups = [name for name in params.get("groups", "").split(",") if name]
        start_ms, end_ms = time_of(params.get("from", ""), params.get("to", ""))
        found = await asyncio.to_thread(
            self._desk.fields, groups or None, start_ms=start_ms, end_ms=end_ms
        )
        return {"fields": found}

    async def _groups(self, request: Request) -> dict[str, Any]:
        prefix = request.query_params.get("prefix", "")
        return {"groups": await asyncio.to_thread(self._desk.groups, prefix)}

    async def _saved(self, request: Request) -> dict[str, Any]:  # noqa: ARG002
        return {"saved": await asyncio.to_thread(self._desk.saved)}

    async def _save(self, request: Request) -> dict[str, Any]:
        given = await body_of(request, SaveBody)
        return await asyncio.to_thread(
            self._desk.save, given.name, given.query, given.groups, given.id
        )

    async def _remove(self, request: Request) -> dict[str, Any]:
        await asyncio.to_thread(self._desk.remove, str(request.path_params["id"]))
        return {}
