"""Metric filters: put, describe, delete, test.

endpoint -> [metric_filters] -> catalog -> counting
"""

from typing import Any, Final

from clerestory.server.aws.catalog.catalog import Filter, now_ms
from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.patterns.parser import NUMBER, parse_pattern
from clerestory.server.aws.patterns.predicate import extract
from clerestory.server.aws.patterns.tree import Fields, Json, Pattern, Selector
from clerestory.server.aws.service import Call

PAGE_MAX: Final = 50
FILTERS_MAX: Final = 100
DIMENSIONS_MAX: Final = 3


def put_metric_filter(call: Call) -> dict[str, Any]:
    """Answer PutMetricFilter."""
    given = call.given
    call.refuse("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")
    group = call.service.writable(given["logGroupName"])
    pattern = parse_pattern(given["filterPattern"])
    transformation = given["metricTransformations"][0]
    _check_source(pattern, transformation["metricValue"], "metric value")
    dimensions = transformation.get("dimensions", {})
    if len(dimensions) > DIMENSIONS_MAX:
        raise invalid(f"A metric filter can have at most {DIMENSIONS_MAX} dimensions.")
    if dimensions and "defaultValue" in transformation:
        raise invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive "
            "properties."
        )
    for source in dimensions.values():
        _check_source(pattern, source, "dimension")
    if given["filterName"] not in group.filters and len(group.filters) >= FILTERS_MAX:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    made = Filter(
        name=given["filterName"],
        created=now_ms(),
        pattern=given["filterPattern"],
        transformation=transformation,
    )
    call.service.catalog.put_filter(group.name, made)
    return {}


def _check_source(pattern: Pattern, source: str, what: str) -> None:
    """See that a value can come from what the pattern names.

    Raises:
        AwsError: It cannot.
    """
    if NUMBER.fullmatch(source) and what == "metric value":
        return
    if isinstance(pattern, Fields):
        if source.startswith("$") and source[1:] in pattern.names:
            return
    elif isinstance(pattern, Json) and source.startswith("$"):
        probe = parse_pattern(f"{{ {source} NOT EXISTS }}")
        if isinstance(probe, Json) and isinstance(getattr(probe.test, "subject", None), Selector):
            return
    raise invalid(
        f"Invalid {what} '{source[:100]}': give a number, or a selector or field of the pattern."
    )


def describe_metric_filters(call: Call) -> dict[str, Any]:
    """Answer DescribeMetricFilters."""
    given, catalog = call.given, call.service.catalog
    if (given.get("metricName") is None) != (given.get("metricNamespace") is None):
        raise invalid(
            "If you include the metricName parameter in your request, you must also include the "
            "metricNamespace parameter."
        )
    name = given.get("logGroupName")
    groups = [catalog.group(name)] if name is not None else list(catalog.groups.values())
    found = sorted(
        ((group.name, one.name), one)
        for group in groups
        for one in list(group.filters.values())
        if one.name.startswith(given.get("filterNamePrefix", "")) and _is_metric(one, given)
    )
    after = call.position()
    if after is not None:
        found = [one for one in found if one[0] > tuple(after)]
    limit = given.get("limit", PAGE_MAX)
    answer: dict[str, Any] = {
        "metricFilters": [_described(key[0], one) for key, one in found[:limit]]
    }
    if len(found) > limit:
        answer["nextToken"] = call.token(found[limit - 1][0])
    return answer


def _is_metric(one: Filter, given: dict[str, Any]) -> bool:
    if given.get("metricName") is None:
        return True
    transformation = one.transformation
    return (transformation["metricName"], transformation["metricNamespace"]) == (
        given["metricName"],
        given["metricNamespace"],
    )


def _described(group: str, one: Filter) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "filterPattern": one.pattern or " ",
        "metricTransformations": [one.transformation],
        "creationTime": one.created,
        "logGroupName": group,
        "applyOnTransformedLogs": False,
    }


def delete_metric_filter(call: Call) -> dict[str, Any]:
    """Answer DeleteMetricFilter."""
    group = call.service.writable(call.given["logGroupName"])
    call.service.catalog.remove_filter(group.name, call.given["filterName"])
    return {}


def test_metric_filter(call: Call) -> dict[str, Any]:
    """Answer TestMetricFilter."""
    pattern = parse_pattern(call.given["filterPattern"])
    found = enumerate(call.given["logEventMessages"], 1)
    extracted = ((number, event, extract(pattern, event)) for number, event in found)
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": event, "extractedValues": values}
            for number, event, values in extracted
            if values is not None
        ]
    }
