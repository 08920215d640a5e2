"""Names of things: ARNs, groups, streams, and which of them are ours.

endpoint -> operations -> [names]
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from clerestory.server.aws.errors import AwsError, invalid

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
OWN_PREFIX: Final = "/clerestory/"
_CREDENTIAL: Final = re.compile(r"Credential=[^/,\s]*/\d{8}/([a-z0-9-]{1,40})/")
_GROUP_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:logs:[a-z0-9-]*:\d{12}:log-group:([.\-_/#A-Za-z0-9]{1,512})(?::\*)?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where names are valid: the region that a request is signed for.

    >>> Place("eu-central-1").group("shop")
    'arn:aws:logs:eu-central-1:000000000000:log-group:shop'
    """

    region: str = REGION

    def group(self, name: str) -> str:
        """Return the ARN of a group."""
        return f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{name}"

    def stream(self, group: str, name: str) -> str:
        """Return the ARN of a stream."""
        return f"{self.group(group)}:log-stream:{name}"


def place_of(authorization: str) -> Place:
    """Return the place that an Authorization header names.

    >>> place_of("AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/logs/aws4_request").region
    'eu-west-1'
    """
    found = _CREDENTIAL.search(authorization)
    return Place(found[1]) if found else Place()


def group_of(identifier: str) -> str:
    """Return the name of a group from its name or ARN.

    Raises:
        AwsError: It is an ARN of something else.

    >>> group_of("arn:aws:logs:us-east-1:000000000000:log-group:shop:*"), group_of("shop")
    ('shop', 'shop')
    """
    if not identifier.startswith("arn:"):
        return identifier
    found = _GROUP_ARN.fullmatch(identifier)
    if not found:
        raise invalid(f"Invalid log group ARN: {identifier[:200]}")
    return found[1]


def one_group(given: dict[str, Any]) -> str:
    """Return the group that a request names, by name or by identifier.

    Raises:
        AwsError: It names none, or names it twice.
    """
    name, identifier = given.get("logGroupName"), given.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        message = "LogGroup name and LogGroup ARN are mutually exclusive parameters."
        raise AwsError("ValidationException", message)
    if name is None and identifier is None:
        raise invalid("Either logGroupName or logGroupIdentifier must be provided.")
    return group_of(str(identifier)) if name is None else str(name)
