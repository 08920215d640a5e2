"""Tags of groups and sampling rules, by their ARN.

endpoint -> [tags] -> catalog
"""

from typing import Any

from clerestory.server.xray.catalog.catalog import Group, Rule
from clerestory.server.xray.errors import no_resource, too_many_tags
from clerestory.server.xray.names import named_by
from clerestory.server.xray.operations.rules import TAGS_MAX
from clerestory.server.xray.service import Call


def tag_resource(call: Call) -> dict[str, Any]:
    """Answer TagResource."""
    thing = _named(call)
    tags = thing.tags | {tag["Key"]: tag["Value"] for tag in call.given["Tags"]}
    if len(tags) > TAGS_MAX:
        raise too_many_tags(TAGS_MAX, call.given["ResourceARN"])
    call.service.catalog.set_tags(thing, tags)
    return {}


def untag_resource(call: Call) -> dict[str, Any]:
    """Answer UntagResource."""
    thing = _named(call)
    gone = set(call.given["TagKeys"])
    tags = {key: value for key, value in thing.tags.items() if key not in gone}
    call.service.catalog.set_tags(thing, tags)
    return {}


def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """Answer ListTagsForResource."""
    call.position()
    tags = _named(call).tags
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def _named(call: Call) -> Group | Rule:
    arn = call.given["ResourceARN"]
    kind, name = named_by(arn)
    catalog = call.service.catalog
    found = catalog.groups.get(name) if kind == "group" else catalog.rules.get(name)
    if found is None or not kind:
        raise no_resource(arn)
    return found
