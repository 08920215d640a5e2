"""Which operation is answered by what.

endpoint -> [table] -> operations
"""

from collections.abc import Callable
from typing import Any, Final

from clerestory.server.aws.operations import (
    definitions,
    log_groups,
    log_streams,
    metric_filters,
    queries,
    reading,
    tags,
)
from clerestory.server.aws.service import Call

Answer = Callable[[Call], dict[str, Any]]

# PutLogEvents and StartLiveTail are answered by the endpoint itself.
ANSWERS: Final[dict[str, Answer]] = {
    "CreateLogGroup": log_groups.create_log_group,
    "CreateLogStream": log_streams.create_log_stream,
    "DeleteLogGroup": log_groups.delete_log_group,
    "DeleteLogStream": log_streams.delete_log_stream,
    "DeleteMetricFilter": metric_filters.delete_metric_filter,
    "DeleteQueryDefinition": definitions.delete_query_definition,
    "DeleteRetentionPolicy": log_groups.delete_retention_policy,
    "DescribeLogGroups": log_groups.describe_log_groups,
    "DescribeLogStreams": log_streams.describe_log_streams,
    "DescribeMetricFilters": metric_filters.describe_metric_filters,
    "DescribeQueries": queries.describe_queries,
    "DescribeQueryDefinitions": definitions.describe_query_definitions,
    "FilterLogEvents": reading.filter_log_events,
    "GetLogEvents": reading.get_log_events,
    "GetLogGroupFields": reading.get_log_group_fields,
    "GetLogRecord": reading.get_log_record,
    "GetQueryResults": queries.get_query_results,
    "ListLogGroups": log_groups.list_log_groups,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTagsLogGroup": tags.list_tags_log_group,
    "PutMetricFilter": metric_filters.put_metric_filter,
    "PutQueryDefinition": definitions.put_query_definition,
    "PutRetentionPolicy": log_groups.put_retention_policy,
    "StartQuery": queries.start_query,
    "StopQuery": queries.stop_query,
    "TagLogGroup": tags.tag_log_group,
    "TagResource": tags.tag_resource,
    "TestMetricFilter": metric_filters.test_metric_filter,
    "UntagLogGroup": tags.untag_log_group,
    "UntagResource": tags.untag_resource,
}
