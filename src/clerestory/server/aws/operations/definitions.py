"""Saved queries: put, describe, delete.

endpoint -> [definitions] -> catalog
"""

import re
from typing import Any, Final

from clerestory.server.aws.errors import invalid
from clerestory.server.aws.names import group_of
from clerestory.server.aws.queries import saved
from clerestory.server.aws.service import Call

PAGE_MAX: Final = 1000
PARAMETERS_MAX: Final = 20
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def put_query_definition(call: Call) -> dict[str, Any]:
    """Answer PutQueryDefinition."""
    given = call.given
    if given.get("queryLanguage", "CWLI") != "CWLI":
        raise invalid(f"queryLanguage {given['queryLanguage']} is not supported yet; use CWLI.")
    for parameter in given.get("parameters", ()):
        if not _NAME.fullmatch(parameter["name"]):
            raise invalid(f"Invalid parameter name: {parameter['name']}")
    content = {"name": given["name"], "queryString": given["queryString"]}
    if given.get("logGroupNames"):
        content["logGroupNames"] = [group_of(name) for name in given["logGroupNames"]]
    if given.get("parameters"):
        content["parameters"] = given["parameters"]
    made = saved.put(
        call.service.catalog,
        content,
        identity=given.get("queryDefinitionId"),
        token=given.get("clientToken"),
    )
    return {"queryDefinitionId": made.id}


def describe_query_definitions(call: Call) -> dict[str, Any]:
    """Answer DescribeQueryDefinitions."""
    prefix = call.given.get("queryDefinitionNamePrefix", "")
    found = [
        (one.content["name"], one.id, one) for one in saved.named(call.service.catalog, prefix)
    ]
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
    saved.remove(call.service.catalog, call.given["queryDefinitionId"])
    return {"success": True}
