"""Queries: start, results, stop, describe.

endpoint -> [queries] -> runner -> insights
"""

from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.aws.errors import invalid, malformed_query, missing
from clerestory.server.aws.groups import is_own
from clerestory.server.aws.names import ACCOUNT, group_of
from clerestory.server.aws.service import Call

if TYPE_CHECKING:
    from clerestory.server.aws.queries.kept import Query

GROUPS_MAX: Final = 50
ROWS_MAX: Final = 10_000
DESCRIBED_MAX: Final = 1000
SECONDS_MAX: Final = 5_500_000_000


def start_query(call: Call) -> dict[str, Any]:
    """Answer StartQuery."""
    from clerestory.server.insights import Question

    given = call.given
    _check_language(given)
    groups = _groups(call)
    start, end = (min(given[name], SECONDS_MAX) for name in ("startTime", "endTime"))
    if start > end:
        raise invalid("The specified time range is invalid: startTime is after endTime.")
    text = given["queryString"]
    question = Question(
        text=text,
        groups=tuple(groups),
        start_ms=start * 1000,
        end_ms=end * 1000 + 999,
        limit=given.get("limit"),
    )
    try:
        query = call.service.queries.ask(question)
    except QueryError as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
        end_offset = min(error.position + error.length, max(len(text), error.position + 1))
        raise malformed_query(message, error.position, end_offset) from error
    return {"queryId": query.id}


def _check_language(given: dict[str, Any]) -> None:
    language = given.get("queryLanguage", "CWLI")
    if language != "CWLI":
        raise invalid(f"queryLanguage {language} is not supported yet; use CWLI.")


def _groups(call: Call) -> list[str]:
    given = call.given
    ways = [
        way
        for way in ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        if given.get(way) not in (None, [])
    ]
    if len(ways) > 1:
        raise invalid(f"Only one of {', '.join(ways)} can be given.")
    if not ways:
        if "source" in given["queryString"].lower():
            return []
        raise invalid(
            "One of logGroupName, logGroupNames and logGroupIdentifiers must be given, or a "
            "SOURCE command in the query."
        )
    asked = given[ways[0]] if ways[0] != "logGroupName" else [given["logGroupName"]]
    if len(asked) > GROUPS_MAX:
        raise invalid(f"At most {GROUPS_MAX} log groups can be queried; got {len(asked)}.")
    groups = [group_of(one) for one in asked]
    for group in groups:
        if not is_own(group) and group not in call.service.catalog.groups:
            raise missing(
                f"Log group '{group}' does not exist for account ID '{ACCOUNT}' (Service: AWSLogs; "
                "Status Code: 400; Error Code: ResourceNotFoundException; Request ID: "
                f"{call.request_id}; Proxy: null)"
            )
    return groups


def get_query_results(call: Call) -> dict[str, Any]:
    """Answer GetQueryResults."""
    given = call.given
    query = call.service.queries.get(given["queryId"])
    status, found = query.status, query.found
    first = call.position() or 0
    last = first + given.get("maxItems", ROWS_MAX)
    answer: dict[str, Any] = {
        "queryLanguage": "CWLI",
        "results": found.fields(first, last),
        "statistics": found.statistics,
        "status": status,
    }
    if last < found.count and status == "Complete":
        answer["nextToken"] = call.token(last)
    return answer


def stop_query(call: Call) -> dict[str, Any]:
    """Answer StopQuery."""
    query = call.service.queries.get(call.given["queryId"])
    if not call.service.queries.stop(query):
        raise invalid(f"Query {query.id} is not running: it has the status {query.status}.")
    return {"success": True}


def describe_queries(call: Call) -> dict[str, Any]:
    """Answer DescribeQueries."""
    given = call.given
    group, status = given.get("logGroupName"), given.get("status")
    found = [
        query
        for query in call.service.queries.all()
        if (group is None or group in query.groups) and status in (None, query.status)
    ]
    if given.get("queryLanguage", "CWLI") != "CWLI":
        found = []
    first = call.position() or 0
    last = first + given.get("maxResults", DESCRIBED_MAX)
    answer: dict[str, Any] = {"queries": [_described(query) for query in found[first:last]]}
    if last < len(found):
        answer["nextToken"] = call.token(last)
    return answer


def _described(query: "Query") -> dict[str, Any]:
    shown: dict[str, Any] = {
        "queryLanguage": "CWLI",
        "queryId": query.id,
        "queryString": query.shown,
        "status": query.status,
        "createTime": query.created,
        "queryDuration": query.duration_ms,
        "bytesScanned": query.found.statistics["bytesScanned"],
    }
    if len(query.groups) == 1:
        shown["logGroupName"] = query.groups[0]
    return shown
