"""Saved queries: put, describe, delete.

endpoint -> [definitions] -> catalog
"""

import re
import uuid
from typing import Any, Final

from clerestory.server.aws.catalog.catalog import Definition, now_ms
from clerestory.server.aws.errors import invalid, missing
from clerestory.server.aws.names import group_of
from clerestory.server.aws.service import Call

PAGE_MAX: Final = 1000
PARAMETERS_MAX: Final = 20
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MISSING: Final = "The specified query definition does not exist."


def put_query_definition(call: Call) -> dict[str, Any]:
    """Answer PutQueryDefinition."""
    given, catalog = call.given, call.service.catalog
    if given.get("queryLanguage", "CWLI") != "CWLI":
        raise invalid(f"queryLanguage {given['queryLanguage']} is not supported yet; use CWLI.")
    for parameter in given.get("parameters", ()):
        if not _NAME.fullmatch(parameter["name"]):
            raise invalid(f"Invalid parameter name: {parameter['name']}")
    token = given.get("clientToken")
    identity = given.get("queryDefinitionId")
    if identity is None:
        known = (one.id for one in catalog.definitions.values() if token and one.token == token)
        identity = next(known, str(uuid.uuid4()))
    elif identity not in catalog.definitions:
        raise missing(_MISSING)
    content = {"name": given["name"], "queryString": given["queryString"]}
    if given.get("logGroupNames"):
        content["logGroupNames"] = [group_of(name) for name in given["logGroupNames"]]
    if given.get("parameters"):
        content["parameters"] = given["parameters"]
    catalog.put_definition(Definition(id=identity, modified=now_ms(), token=token, content=content))
    return {"queryDefinitionId": identity}


def describe_query_definitions(call: Call) -> dict[str, Any]:
    """Answer DescribeQueryDefinitions."""
    prefix = call.given.get("queryDefinitionNamePrefix", "")
    found = sorted(
        (definition.content["name"], definition.id, definition)
        for definition in list(call.service.catalog.definitions.values())
        if definition.content["name"].startswith(prefix)
    )
    if call.given.get("queryLanguage", "CWLI") != "CWLI":
        found = []
    after = call.position()
    if after is not None:
        found = [one for one in found if one[:2] > tuple(after)]
    limit = call.given.get("maxResults", PAGE_MAX)
    shown = [
        {
            "queryLanguage": "CWLI",
            "queryDefinitionId": definition.id,
            "lastModified": definition.modified,
            **definition.content,
        }
        for _, _, definition in found[:limit]
    ]
    answer: dict[str, Any] = {"queryDefinitions": shown}
    if len(found) > limit:
        answer["nextToken"] = call.token(found[limit - 1][:2])
    return answer


def delete_query_definition(call: Call) -> dict[str, Any]:
    """Answer DeleteQueryDefinition."""
    if not call.service.catalog.remove_definition(call.given["queryDefinitionId"]):
        raise missing(_MISSING)
    return {"success": True}
