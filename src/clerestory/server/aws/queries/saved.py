"""Saved queries: CloudWatch's query definitions.

    operations, desk -> [saved] -> catalog

Invariant: a definition is kept under one id, whoever put it.
"""

import uuid
from typing import Any

from clerestory.server.aws.catalog.catalog import Catalog, Definition, now_ms
from clerestory.server.aws.errors import missing

MISSING = "The specified query definition does not exist."


def put(
    catalog: Catalog, content: dict[str, Any], *, identity: str | None, token: str | None = None
) -> Definition:
    """Save a query under a new id, or in the place of the one with this id.

    Raises:
        AwsError: There is none with this id.
    """
    if identity is None:
        known = (one.id for one in catalog.definitions.values() if token and one.token == token)
        identity = next(known, str(uuid.uuid4()))
    elif identity not in catalog.definitions:
        raise missing(MISSING)
    made = Definition(id=identity, modified=now_ms(), token=token, content=content)
    catalog.put_definition(made)
    return made


def named(catalog: Catalog, prefix: str = "") -> list[Definition]:
    """Return the saved queries whose names begin so, by name and id."""
    found = [
        one for one in list(catalog.definitions.values()) if one.content["name"].startswith(prefix)
    ]
    return sorted(found, key=lambda one: (one.content["name"], one.id))


def remove(catalog: Catalog, identity: str) -> None:
    """Remove a saved query.

    Raises:
        AwsError: There is none with this id.
    """
    if not catalog.remove_definition(identity):
        raise missing(MISSING)
