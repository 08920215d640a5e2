"""Write the tables of the AWS operations that the server speaks, from the installed botocore.

    botocore's service models -> [aws_tables] -> src/clerestory/server/aws/protocol/{logs,xray}.json

    python tools/aws_tables.py

The server never imports botocore: it reads these tables, which hold the inputs of our operations
and the names of all others. The service models are part of botocore, Copyright Amazon.com, Inc.
or its affiliates, Apache License 2.0.
"""

# ruff: noqa: INP001 programs, not a package
import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "src/clerestory/server/aws/protocol"
_LOGS: Final = (
    "CreateLogGroup", "CreateLogStream", "DeleteLogGroup", "DeleteLogStream",
    "DeleteMetricFilter", "DeleteQueryDefinition", "DeleteRetentionPolicy", "DescribeLogGroups",
    "DescribeLogStreams", "DescribeMetricFilters", "DescribeQueries", "DescribeQueryDefinitions",
    "FilterLogEvents", "GetLogEvents", "GetLogGroupFields", "GetLogRecord", "GetQueryResults",
    "ListLogGroups", "ListTagsForResource", "ListTagsLogGroup", "PutLogEvents", "PutMetricFilter",
    "PutQueryDefinition", "PutRetentionPolicy", "StartLiveTail", "StartQuery", "StopQuery",
    "TagLogGroup", "TagResource", "TestMetricFilter", "UntagLogGroup", "UntagResource",
)  # fmt: skip
_XRAY: Final = (
    "BatchGetTraces", "CreateGroup", "CreateSamplingRule", "DeleteGroup", "DeleteSamplingRule",
    "GetEncryptionConfig", "GetGroup", "GetGroups", "GetSamplingRules",
    "GetSamplingStatisticSummaries", "GetSamplingTargets", "GetServiceGraph", "GetTraceGraph",
    "GetTraceSummaries", "ListTagsForResource", "PutEncryptionConfig", "PutTelemetryRecords",
    "PutTraceSegments", "TagResource", "UntagResource", "UpdateGroup", "UpdateSamplingRule",
)  # fmt: skip
OPERATIONS: Final = {"logs": _LOGS, "xray": _XRAY}
_LIMITS: Final = ("min", "max", "pattern", "enum", "required")


def tables(service: str) -> dict[str, Any]:
    """Return the tables of a service, as they stand in its file."""
    from botocore.loaders import Loader

    model = Loader().load_service_model(service, "service-2")
    ours, shapes = OPERATIONS[service], dict[str, Any]()
    operations = {name: _operation(model, name, shapes) for name in sorted(ours)}
    others = sorted(set(model["operations"]) - set(ours))
    by_path = "targetPrefix" not in model["metadata"]
    dispatch = {} if by_path else {"target": model["metadata"]["targetPrefix"]}
    return {
        "from": "botocore, Apache License 2.0; written by tools/aws_tables.py",
        "version": model["metadata"]["apiVersion"],
        **dispatch,
        "operations": operations,
        "others": {name: _path(model, name) for name in others} if by_path else others,
        "shapes": dict(sorted(shapes.items())),
    }


def _operation(model: Any, name: str, shapes: dict[str, Any]) -> dict[str, Any]:
    operation = model["operations"][name]
    given = operation["input"]["shape"]
    _collect(model["shapes"], given, shapes)
    errors = sorted(error["shape"] for error in operation.get("errors", ()))
    path = _path(model, name)
    return {**({} if path == "/" else {"path": path}), "input": given, "errors": errors}


def _path(model: Any, name: str) -> str:
    return str(model["operations"][name]["http"]["requestUri"])


def _collect(model: Any, name: str, shapes: dict[str, Any]) -> None:
    """Add a shape and everything that it is made of."""
    if name in shapes:
        return
    shape = model[name]
    shapes[name] = made = {"type": shape["type"]}
    made |= {limit: shape[limit] for limit in _LIMITS if limit in shape}
    parts = {part: shape[part]["shape"] for part in ("member", "key", "value") if part in shape}
    members = {member: one["shape"] for member, one in shape.get("members", {}).items()}
    if members:
        made["members"] = members
    made |= parts
    for part in (*parts.values(), *members.values()):
        _collect(model, part, shapes)


def texts() -> dict[Path, str]:
    """Return the content of each file."""
    return {
        FOLDER / f"{service}.json": json.dumps(tables(service), indent=1, ensure_ascii=False) + "\n"
        for service in OPERATIONS
    }


if __name__ == "__main__":
    for path, content in texts().items():
        path.write_text(content, encoding="utf-8")
        print(path.name)
