"""Errors as X-Ray tells them: a code, a text, a status.

    catalog, operations -> [errors] -> endpoint ~~> client

The codes are those of the service's model. A thing that does not exist is InvalidRequestException
but for tags, as on AWS.
"""

from typing import Final

from clerestory.server.aws.errors import AwsError

PAGE: Final = "docs/reference/xray.md"
INVALID: Final = "InvalidRequestException"


def invalid(message: str) -> AwsError:
    """Return the error of a request."""
    return AwsError(INVALID, message)


def too_many_rules(limit: int) -> AwsError:
    """Return the error of a rule beyond the limit."""
    message = f"You can have {limit} sampling rules at most; delete one of them first."
    return AwsError("RuleLimitExceededException", message)


def too_many_tags(limit: int, arn: str) -> AwsError:
    """Return the error of a tag beyond the limit."""
    message = f"A resource can have no more than {limit} tags."
    return AwsError("TooManyTagsException", message, extra={"ResourceName": arn})


def no_resource(arn: str) -> AwsError:
    """Return the error of an ARN that names no group and no rule."""
    message = f"No group and no sampling rule has the ARN {arn[:200]}."
    extra = {"ResourceName": arn[:1011]}
    return AwsError("ResourceNotFoundException", message, status=404, extra=extra)
