"""What the store says about each program, and the table that compares it with what was made.

/api/v1/histogram, /api/v1/logs -> [books] -> made = stored = searchable?
"""

from dataclasses import dataclass

from clerestory.cli.query import search
from clerestory.cli.remote.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One program's line of the table.

    Attributes:
        program: Name of its service.
        made: Records that it counted itself.
        stored: Records that the store counts.
        searchable: Different ids that a search returned.
    """

    program: str
    made: int
    stored: int
    searchable: int

    @property
    def agrees(self) -> bool:
        """Whether the three numbers are equal, and not 0."""
        return 0 < self.made == self.stored == self.searchable


def stored(client: Client, program: str, since_ms: int) -> int:
    """Return how many records of a program the store counts."""
    answer = client.get(
        "/api/v1/histogram", q=f"service={program}", from_=since_ms, to="now", buckets=1
    )
    return int(answer["matched"])


def searchable(client: Client, program: str, since_ms: int) -> int:
    """Return how many different records of a program a search finds, over all its pages."""
    rows = search(
        client, f"service={program}", limit=10_000_000, from_=since_ms, to="now", order="asc"
    )
    return len({row["id"] for row in rows})


def newest(client: Client, program: str, since_ms: int) -> str:
    """Return the newest message of a program, or nothing."""
    rows = search(client, f"service={program}", limit=1, from_=since_ms, to="now")
    return next((str(row["message"]) for row in rows), "")


def table(lines: list[Line]) -> str:
    """Return the lines as a table.

    >>> print(table([Line(program="shop", made=5, stored=5, searchable=4)]))
    program         made     stored  searchable
    shop               5          5           4  differs
    """
    shown = [f"{'program':<10}{'made':>10}{'stored':>11}{'searchable':>12}"]
    for line in lines:
        verdict = "" if line.agrees else "  differs"
        shown.append(
            f"{line.program:<10}{line.made:>10}{line.stored:>11}{line.searchable:>12}{verdict}"
        )
    return "\n".join(shown)
