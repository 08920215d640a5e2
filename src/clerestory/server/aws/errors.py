"""Errors as CloudWatch Logs tells them: a code, a text, a status.

    shapes, operations -> [errors] -> endpoint ~~> client

Texts are AWS's own wherever they are known, so that programs that compare them go on working.
"""

from typing import Any, Final

from clerestory.model.errors import ClerestoryError

GROUP_MISSING: Final = "The specified log group does not exist."
STREAM_MISSING: Final = "The specified log stream does not exist."
PAGE: Final = "docs/how-to/ci-without-aws.md"


class AwsError(ClerestoryError):
    """An error of the API.

    Attributes:
        code: Name of the error in the service's model.
        status: HTTP status.
        extra: Further members of the error's body.
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.extra = extra or {}


def invalid(message: str) -> AwsError:
    """Return the error of a parameter."""
    return AwsError("InvalidParameterException", message)


def missing(message: str) -> AwsError:
    """Return the error of a thing that does not exist."""
    return AwsError("ResourceNotFoundException", message)


def exists(message: str) -> AwsError:
    """Return the error of a thing that exists already."""
    return AwsError("ResourceAlreadyExistsException", message)


def unsupported(operation: str, parameter: str, *, page: str = PAGE) -> AwsError:
    """Return the error of a parameter that this server does not know."""
    return invalid(
        f"{operation} does not support the parameter {parameter} on this server; "
        f"leave it out ({page} lists what is supported)"
    )


def malformed_query(message: str, start: int, end: int) -> AwsError:
    """Return the error of a query that cannot be understood."""
    location = {"startCharOffset": start, "endCharOffset": end}
    told = {"queryCompileError": {"location": location, "message": message}}
    return AwsError("MalformedQueryException", message, extra=told)
