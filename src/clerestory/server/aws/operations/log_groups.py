"""Log groups: create, delete, describe, list, retention.

endpoint -> [log_groups] -> catalog, store
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import re
from typing import Any, Final

from clerestory.server.aws.catalog.catalog import Group, now_ms
from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.events.removal import remove_events
from clerestory.server.aws.groups import GROUP_SQL, is_own
from clerestory.server.aws.names import OWN_PREFIX, group_of
from clerestory.server.aws.service import Call, Service

RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
PAGE_MAX: Final = 50
LIST_MAX: Final = 1000
EVENT_OVERHEAD_BYTES: Final = 26


def create_log_group(call: Call) -> dict[str, Any]:
    """Answer CreateLogGroup."""
    given = call.given
    name = given["logGroupName"]
    if name.lower().startswith("aws/"):
        raise invalid("Log groups starting with AWS/ are reserved for AWS.")
    if is_own(name):
        raise invalid(
            f"Log groups starting with {OWN_PREFIX} are views of records that programs sent to "
            "this server; choose another name."
        )
    if any(group == name for group, _ in call.service.catalog.deletions()):
        raise _conflict()
    group = Group(
        name=name,
        created=now_ms(),
        kind=given.get("logGroupClass", "STANDARD"),
        kms_key=given.get("kmsKeyId"),
        protected=given.get("deletionProtectionEnabled", False),
        tags=given.get("tags", {}),
    )
    call.service.catalog.add_group(group)
    return {}


def _conflict() -> AwsError:
    return AwsError(
        "OperationAbortedException",
        "A conflicting operation is currently in progress against this resource. Please try again.",
    )


def delete_log_group(call: Call) -> dict[str, Any]:
    """Answer DeleteLogGroup."""
    name = call.given["logGroupName"]
    if call.service.writable(name).protected:
        message = "Log group cannot be deleted because deletion protection is enabled."
        raise AwsError("ValidationException", message)
    call.service.catalog.remove_group(name)
    remove_events(call.service, name)
    return {}


def describe_log_groups(call: Call) -> dict[str, Any]:
    """Answer DescribeLogGroups."""
    given = call.given
    call.check_account()
    pattern = given.get("logGroupNamePattern")
    if pattern is not None and given.get("logGroupNamePrefix") is not None:
        raise invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    asked = {group_of(one) for one in given.get("logGroupIdentifiers", ())}
    if asked and (pattern is not None or given.get("logGroupNamePrefix") is not None):
        raise invalid("logGroupIdentifiers and a name prefix or pattern are mutually exclusive.")
    groups, volumes = _all_groups(call.service)
    found = [
        group
        for group in groups
        if (not asked or group.name in asked)
        and group.name.startswith(given.get("logGroupNamePrefix", ""))
        and (pattern or "") in group.name
        and given.get("logGroupClass", group.kind) == group.kind
    ]
    page, token = _page(call, found, given.get("limit", PAGE_MAX))
    shown = [_described(call, group, volumes.get(group.name, 0)) for group in page]
    if pattern is not None:
        for one in shown:
            del one["storedBytes"], one["deletionProtectionEnabled"]
    return {"logGroups": shown, **token}


def _described(call: Call, group: Group, volume: int) -> dict[str, Any]:
    arn = call.place.group(group.name)
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created,
        "metricFilterCount": len(group.filters),
        "arn": f"{arn}:*",
        "storedBytes": volume,
        "logGroupClass": group.kind,
        "logGroupArn": arn,
        "deletionProtectionEnabled": group.protected,
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    if group.kms_key is not None:
        shown["kmsKeyId"] = group.kms_key
    return shown


def list_log_groups(call: Call) -> dict[str, Any]:
    """Answer ListLogGroups."""
    given = call.given
    call.check_account()
    call.refuse("dataSources", "fieldIndexNames", "logGroupTags")
    pattern = re.compile(given.get("logGroupNamePattern", "").replace(".", r"\."))
    groups, _ = _all_groups(call.service)
    found = [
        group
        for group in groups
        if pattern.search(group.name) and given.get("logGroupClass", group.kind) == group.kind
    ]
    page, token = _page(call, found, given.get("limit", PAGE_MAX))
    shown = [
        {
            "logGroupName": group.name,
            "logGroupArn": call.place.group(group.name),
            "logGroupClass": group.kind,
        }
        for group in page
    ]
    return {"logGroups": shown, **token}


def _page(call: Call, found: list[Group], limit: int) -> tuple[list[Group], dict[str, str]]:
    after = call.position()
    rest = [group for group in found if after is None or group.name > after]
    page = rest[:limit]
    return page, {"nextToken": call.token(page[-1].name)} if len(rest) > limit else {}


def _all_groups(service: Service) -> tuple[list[Group], dict[str, int]]:
    """Return put groups and our own by name, and the bytes that each holds."""
    found = service.store.query(
        lambda connection: connection.rows(
            f"SELECT {GROUP_SQL} AS name, toUnixTimestamp64Milli(min(first)), "
            f"sum(if(texts = 0, messages, texts) + {EVENT_OVERHEAD_BYTES} * events) "
            "FROM (SELECT log_group, service, min(ts) AS first, sum(length(raw)) AS texts, "
            "sum(length(message)) AS messages, count() AS events "
            # as it stands the store has these sums ready (see store/schema)
            "FROM logs GROUP BY log_group, service "
            "SETTINGS optimize_functions_to_subcolumns = 0) GROUP BY name"
        )
    )
    volumes = {str(name): int(volume) for name, _, volume in found}
    groups = dict(service.catalog.groups)
    for name, first, _ in found:
        if is_own(str(name)):
            groups[str(name)] = Group(name=str(name), created=int(first))
    return [groups[name] for name in sorted(groups)], volumes


def put_retention_policy(call: Call) -> dict[str, Any]:
    """Answer PutRetentionPolicy."""
    days = call.given["retentionInDays"]
    if days not in RETENTION_DAYS:
        known = ", ".join(map(str, RETENTION_DAYS))
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{known}]"
        )
    call.service.writable(call.given["logGroupName"])
    call.service.catalog.change_group(call.given["logGroupName"], retention_days=days)
    return {}


def delete_retention_policy(call: Call) -> dict[str, Any]:
    """Answer DeleteRetentionPolicy."""
    call.service.writable(call.given["logGroupName"])
    call.service.catalog.change_group(call.given["logGroupName"], retention_days=None)
    return {}
