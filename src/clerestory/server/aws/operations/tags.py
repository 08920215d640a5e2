"""Tags: by ARN and by name, the same ones.

endpoint -> [tags] -> catalog
"""

from typing import Any, Final

from clerestory.server.aws.catalog.catalog import Group
from clerestory.server.aws.errors import AwsError, missing
from clerestory.server.aws.names import group_of
from clerestory.server.aws.service import Call

TAGS_MAX: Final = 50


def tag_resource(call: Call) -> dict[str, Any]:
    """Answer TagResource."""
    group = _group_of_arn(call)
    tags = group.tags | call.given["tags"]
    if len(tags) > TAGS_MAX:
        raise AwsError(
            "TooManyTagsException",
            f"A resource can have no more than {TAGS_MAX} tags.",
            extra={"resourceName": call.given["resourceArn"]},
        )
    call.service.catalog.change_group(group.name, tags=tags)
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Answer UntagResource."""
    _untag(call, _group_of_arn(call), call.given["tagKeys"])
    return {}


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """Answer ListTagsForResource."""
    return {"tags": _group_of_arn(call).tags}


def tag_log_group(call: Call) -> dict[str, Any]:
    """Answer TagLogGroup."""
    group = call.service.writable(call.given["logGroupName"])
    tags = group.tags | call.given["tags"]
    if len(tags) > TAGS_MAX:
        message = f"A log group can have no more than {TAGS_MAX} tags."
        raise AwsError("InvalidParameterException", message)
    call.service.catalog.change_group(group.name, tags=tags)
    return {}


def untag_log_group(call: Call) -> dict[str, Any]:
    """Answer UntagLogGroup."""
    _untag(call, call.service.writable(call.given["logGroupName"]), call.given["tags"])
    return {}


def list_tags_log_group(call: Call) -> dict[str, Any]:
    """Answer ListTagsLogGroup."""
    return {"tags": call.service.writable(call.given["logGroupName"]).tags}


def _untag(call: Call, group: Group, keys: list[str]) -> None:
    tags = {name: value for name, value in group.tags.items() if name not in keys}
    call.service.catalog.change_group(group.name, tags=tags)


def _group_of_arn(call: Call) -> Group:
    arn = call.given["resourceArn"]
    if not arn.startswith("arn:"):
        raise missing("The specified resource does not exist.")
    return call.service.writable(group_of(arn))
