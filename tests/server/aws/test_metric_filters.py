"""Metric filters: kept as AWS keeps them, and really counted."""

import time

import pytest

from tests.server.aws.conftest import put

TRANSFORMATION = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}


def make(logs, group, name, pattern, **more):
    logs.put_metric_filter(
        logGroupName=group, filterName=name, filterPattern=pattern,
        metricTransformations=[TRANSFORMATION | more],
    )  # fmt: skip


def counted(server, group):
    return {
        one["filter"]: (one["matched"], one["points"], one["sum"])
        for one in server.get("/api/v1/metric-filters")["filters"]
        if one["group"] == group
    }


def until_counted(server, group, wanted):
    deadline = time.monotonic() + 10
    while (got := counted(server, group)) != wanted:
        assert time.monotonic() < deadline, got
        time.sleep(0.02)


def test_a_filter_counts_what_matches_from_then_on(server, logs, group):
    """Four kinds of value; what came before it does not count."""
    put(logs, group, '{"level": "ERROR", "ms": 99}')
    make(logs, group, "errors", '{ $.level = "ERROR" }')
    make(logs, group, "ms", "{ $.ms > 5 }", metricValue="$.ms")
    make(logs, group, "bytes", "[ip, bytes > 10]", metricValue="$bytes")
    make(logs, group, "two", "", metricValue="2.5")

    put(logs, group, '{"level": "ERROR", "ms": 10}', '{"level": "INFO", "ms": 30.5}', "1.2.3.4 100")
    put(logs, group, '{"level": "ERROR"}', '{"ms": "7"}')

    until_counted(
        server,
        group,
        {"errors": (2, 2, 2.0), "ms": (2, 2, 40.5), "bytes": (1, 1, 100.0), "two": (5, 5, 12.5)},
    )


def test_a_value_that_is_no_number_makes_no_point(server, logs, group):
    """It matches, so it is counted, but a sum cannot take it."""
    make(logs, group, "ms", "{ $.ms != nosuch }", metricValue="$.ms")

    put(logs, group, '{"ms": "fast"}', '{"ms": 4}', '{"ms": true}', '{"ms": "5"}')

    until_counted(server, group, {"ms": (4, 2, 9.0)})


def test_events_of_another_group_are_not_counted(server, logs, group):
    """They come in one commit."""
    make(logs, group, "all", "")
    logs.create_log_group(logGroupName=f"{group}-other")
    logs.create_log_stream(logGroupName=f"{group}-other", logStreamName="s")

    put(logs, f"{group}-other", "x")
    put(logs, group, "x")

    until_counted(server, group, {"all": (1, 1, 1.0)})


def test_the_counts_are_on_the_metrics_page(server, logs, group):
    """That is where Prometheus and an alert find them."""
    make(logs, group, "errors", "ERROR", metricName="errors")
    put(logs, group, "ERROR 1", "ERROR 2")
    until_counted(server, group, {"errors": (2, 2, 2.0)})

    text = server.call("GET", "/metrics")[1].decode()

    labels = f'filter="errors",group="{group}",metric="errors",namespace="n"'
    assert f"clerestory_metric_filter_events_total{{{labels}}} 2.0" in text
    assert f"clerestory_metric_filter_value_sum{{{labels}}} 2.0" in text


def test_filters_are_described_as_aws_describes_them(logs, group):
    """An empty pattern comes back as a space."""
    for name in ("b", "a", "c"):
        make(logs, group, name, "" if name == "a" else "ERROR")

    pages = logs.get_paginator("describe_metric_filters").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 2}
    )
    shown = [one for page in pages for one in page["metricFilters"]]

    assert [one["filterName"] for one in shown] == ["a", "b", "c"]
    assert shown[0]["filterPattern"] == " "
    assert shown[0]["applyOnTransformedLogs"] is False
    assert shown[0]["metricTransformations"] == [TRANSFORMATION]
    assert (
        logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["metricFilterCount"] == 3
    )


def test_a_filter_that_is_put_again_takes_the_place_of_the_first(logs, group):
    """Infrastructure code puts it at every deployment."""
    make(logs, group, "f", "ERROR")
    make(logs, group, "f", "WARN", metricValue="2")

    (shown,) = logs.describe_metric_filters(logGroupName=group)["metricFilters"]

    assert shown["filterPattern"] == "WARN"
    assert shown["metricTransformations"][0]["metricValue"] == "2"
    logs.delete_metric_filter(logGroupName=group, filterName="f")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_metric_filter(logGroupName=group, filterName="f")


@pytest.mark.parametrize(
    ("pattern", "more"),
    [
        ("foo-bar", {}),
        ("ERROR", {"metricValue": "$.x"}),
        ("{ $.a = 1 }", {"metricValue": "x"}),
        ("[a, b]", {"metricValue": "$c"}),
        ("{ $.a = 1 }", {"dimensions": {"a": "$.a"}, "defaultValue": 0.0}),
        ("{ $.a = 1 }", {"dimensions": dict.fromkeys("abcd", "$.a")}),
    ],
)
def test_a_filter_that_could_not_count_is_refused(logs, group, pattern, more):
    """It would stay at zero, and nobody know why."""
    with pytest.raises(logs.exceptions.InvalidParameterException):
        make(logs, group, "f", pattern, **more)

    assert logs.describe_metric_filters(logGroupName=group)["metricFilters"] == []


def test_the_101st_filter_is_one_too_many(logs, group):
    """The limit bounds what each commit costs."""
    for number in range(100):
        make(logs, group, f"f{number}", "")

    with pytest.raises(logs.exceptions.LimitExceededException):
        make(logs, group, "f100", "")
