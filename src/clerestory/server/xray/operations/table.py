"""Which operation is answered by what.

endpoint -> [table] -> operations
"""

from collections.abc import Callable
from typing import Any, Final

from clerestory.server.xray.operations import groups, reading, rules, settings, tags
from clerestory.server.xray.service import Call

Answer = Callable[[Call], dict[str, Any]]

# PutTraceSegments is answered by the endpoint itself.
ANSWERS: Final[dict[str, Answer]] = {
    "CreateGroup": groups.create_group,
    "CreateSamplingRule": rules.create_sampling_rule,
    "DeleteGroup": groups.delete_group,
    "DeleteSamplingRule": rules.delete_sampling_rule,
    "GetEncryptionConfig": settings.get_encryption_config,
    "GetGroup": groups.get_group,
    "GetGroups": groups.get_groups,
    "GetSamplingRules": rules.get_sampling_rules,
    "GetSamplingStatisticSummaries": rules.get_sampling_statistic_summaries,
    "GetSamplingTargets": rules.get_sampling_targets,
    "BatchGetTraces": reading.batch_get_traces,
    "GetServiceGraph": reading.get_service_graph,
    "GetTraceGraph": reading.get_trace_graph,
    "GetTraceSummaries": reading.get_trace_summaries,
    "ListTagsForResource": tags.list_tags_for_resource,
    "PutEncryptionConfig": settings.put_encryption_config,
    "PutTelemetryRecords": settings.put_telemetry_records,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateGroup": groups.update_group,
    "UpdateSamplingRule": rules.update_sampling_rule,
}
