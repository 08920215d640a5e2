"""Write the tables of the AWS operations that the server speaks, from the installed botocore.

    botocore's service model -> [aws_tables] -> src/clerestory/server/aws/protocol/logs.json

    python tools/aws_tables.py

The server never imports botocore: it reads these tables, which hold the inputs of our operations
and the names of all others. The service models are part of botocore, Copyright Amazon.com, Inc.
or its affiliates, Apache License 2.0.
"""

# ruff: noqa: INP001 programs, not a package
import json
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[1] / "src/clerestory/server/aws/protocol/logs.json"
OPERATIONS: Final = (
    "CreateLogGroup", "CreateLogStream", "DeleteLogGroup", "DeleteLogStream",
    "DeleteMetricFilter", "DeleteQueryDefinition", "DeleteRetentionPolicy", "DescribeLogGroups",
    "DescribeLogStreams", "DescribeMetricFilters", "DescribeQueries", "DescribeQueryDefinitions",
    "FilterLogEvents", "GetLogEvents", "GetLogGroupFields", "GetLogRecord", "GetQueryResults",
    "ListLogGroups", "ListTagsForResource", "ListTagsLogGroup", "PutLogEvents", "PutMetricFilter",
    "PutQueryDefinition", "PutRetentionPolicy", "StartLiveTail", "StartQuery", "StopQuery",
    "TagLogGroup", "TagResource", "TestMetricFilter", "UntagLogGroup", "UntagResource",
)  # fmt: skip
_LIMITS: Final = ("min", "max", "pattern", "enum", "required")


def tables() -> dict[str, Any]:
    """Return the tables, as they stand in the file."""
    from botocore.loaders import Loader

    model = Loader().load_service_model("logs", "service-2")
    shapes: dict[str, Any] = {}
    operations = {name: _operation(model, name, shapes) for name in sorted(OPERATIONS)}
    return {
        "from": "botocore, Apache License 2.0; written by tools/aws_tables.py",
        "version": model["metadata"]["apiVersion"],
        "target": model["metadata"]["targetPrefix"],
        "operations": operations,
        "others": sorted(set(model["operations"]) - set(OPERATIONS)),
        "shapes": dict(sorted(shapes.items())),
    }


def _operation(model: Any, name: str, shapes: dict[str, Any]) -> dict[str, Any]:
    operation = model["operations"][name]
    given = operation["input"]["shape"]
    _collect(model["shapes"], given, shapes)
    errors = sorted(error["shape"] for error in operation.get("errors", ()))
    return {"input": given, "errors": errors}


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


def text() -> str:
    """Return the file's content."""
    return json.dumps(tables(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE.name}: {len(OPERATIONS)} operations")
