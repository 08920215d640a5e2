"""Groups: filter expressions with a name.

endpoint -> [groups] -> catalog
"""

from typing import Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.xray.catalog.catalog import Group
from clerestory.server.xray.errors import invalid
from clerestory.server.xray.filters.parser import parse, shown
from clerestory.server.xray.filters.tree import names_group
from clerestory.server.xray.names import group_arn
from clerestory.server.xray.operations.rules import tags_of
from clerestory.server.xray.service import Call

GROUPS_A_PAGE: Final = 100


def create_group(call: Call) -> dict[str, Any]:
    """Answer CreateGroup."""
    name = call.given["GroupName"]
    made = call.service.catalog.add_group(
        name,
        expression=_checked(call),
        insights=_insights(call),
        tags=tags_of(call.given, name),
    )
    return {"Group": _told(made, call)}


def update_group(call: Call) -> dict[str, Any]:
    """Answer UpdateGroup: only members that are given change."""
    group = call.group()
    changes: dict[str, Any] = {}
    if "FilterExpression" in call.given:
        changes["expression"] = _checked(call)
    if "InsightsConfiguration" in call.given:
        changes["insights"] = group.insights | _insights(call)
    if changes:
        group = call.service.catalog.change_group(group.name, **changes)
    return {"Group": _told(group, call)}


def get_group(call: Call) -> dict[str, Any]:
    """Answer GetGroup."""
    return {"Group": _told(call.group(), call)}


def get_groups(call: Call) -> dict[str, Any]:
    """Answer GetGroups."""
    after = call.position() or ""
    names = sorted(name for name in list(call.service.catalog.groups) if name > after)
    page = names[:GROUPS_A_PAGE]
    answer: dict[str, Any] = {
        "Groups": [_told(call.service.catalog.groups[name], call) for name in page]
    }
    if len(names) > len(page):
        answer["NextToken"] = call.token(page[-1])
    return answer


def delete_group(call: Call) -> dict[str, Any]:
    """Answer DeleteGroup."""
    call.service.catalog.remove_group(call.group().name)
    return {}


def _checked(call: Call) -> str | None:
    text = call.given.get("FilterExpression")
    if text is None:
        return None
    try:
        found = parse(text)
    except QueryError as error:
        raise invalid(shown(error)) from error
    if names_group(found):
        raise invalid("Invalid filter expression: a group's expression cannot name a group.")
    return str(text)


def _insights(call: Call) -> dict[str, Any]:
    told = call.given.get("InsightsConfiguration") or {}
    if told.get("NotificationsEnabled") and not told.get("InsightsEnabled"):
        raise invalid("NotificationsEnabled needs InsightsEnabled.")
    return {name: value for name, value in told.items() if value is not None}


def _told(group: Group, call: Call) -> dict[str, Any]:
    insights = {"InsightsEnabled": False, "NotificationsEnabled": False, **group.insights}
    told = {
        "GroupName": group.name,
        "GroupARN": group_arn(group.name, group.identity, call.region),
        "InsightsConfiguration": insights,
    }
    if group.expression is not None:
        told["FilterExpression"] = group.expression
    return told
