"""Log streams: create, delete, describe.

endpoint -> [log_streams] -> catalog, store
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from typing import Any, Final

from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.events.removal import remove_events
from clerestory.server.aws.groups import is_own, scope_of, stream_column
from clerestory.server.aws.names import one_group
from clerestory.server.aws.service import Call, Service

PAGE_MAX: Final = 50


def create_log_stream(call: Call) -> dict[str, Any]:
    """Answer CreateLogStream."""
    group, stream = call.given["logGroupName"], call.given["logStreamName"]
    call.service.writable(group)
    if (group, stream) in call.service.catalog.deletions():
        message = (
            "A conflicting operation is currently in progress against this resource. "
            "Please try again."
        )
        raise AwsError("OperationAbortedException", message)
    call.service.catalog.add_stream(group, stream)
    return {}


def delete_log_stream(call: Call) -> dict[str, Any]:
    """Answer DeleteLogStream."""
    group, stream = call.given["logGroupName"], call.given["logStreamName"]
    call.service.writable(group)
    call.service.catalog.remove_stream(group, stream)
    remove_events(call.service, group, stream)
    return {}


def describe_log_streams(call: Call) -> dict[str, Any]:
    """Answer DescribeLogStreams."""
    given = call.given
    group = one_group(given)
    by_time = given.get("orderBy") == "LastEventTime"
    prefix = given.get("logStreamNamePrefix", "")
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    call.service.check_readable(group)
    streams = [
        {"arn": call.place.stream(group, str(one["logStreamName"])), **one}
        for one in _streams(call.service, group)
        if str(one["logStreamName"]).startswith(prefix)
    ]

    def key(one: dict[str, Any]) -> tuple[int, str]:
        return (one.get("lastEventTimestamp", 0) if by_time else 0, one["logStreamName"])

    descending = given.get("descending", False)
    streams.sort(key=key, reverse=descending)
    after = call.position()
    if after is not None:
        at = tuple(after)
        streams = [one for one in streams if (key(one) < at if descending else key(one) > at)]
    limit = given.get("limit", PAGE_MAX)
    page = streams[:limit]
    answer: dict[str, Any] = {"logStreams": page}
    if len(streams) > limit:
        answer["nextToken"] = call.token(key(page[-1]))
    return answer


def _streams(service: Service, group: str) -> list[dict[str, Any]]:
    """Return a group's streams with the times of their events."""
    sql, parameters = scope_of([group])
    found = service.store.query(
        lambda connection: connection.rows(
            f"SELECT {stream_column(group)} AS name, "
            "toUnixTimestamp64Milli(toDateTime64(min(ts), 3)), "
            "toUnixTimestamp64Milli(toDateTime64(max(ts), 3)), "
            f"toUnixTimestamp64Milli(max(ingested)) FROM logs WHERE {sql} GROUP BY name",
            parameters,
        )
    )
    times = {str(name): (int(first), int(last), int(taken)) for name, first, last, taken in found}
    if is_own(group):
        created = {name: first for name, (first, _, _) in times.items()}
    else:
        created = dict(service.catalog.group(group).streams)
    return [_described(name, at, times.get(name)) for name, at in created.items()]


def _described(name: str, created: int, times: tuple[int, int, int] | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"logStreamName": name, "creationTime": created, "storedBytes": 0}
    if times is not None:
        shown["firstEventTimestamp"], shown["lastEventTimestamp"] = times[:2]
        shown["lastIngestionTime"] = times[2]
    return shown
