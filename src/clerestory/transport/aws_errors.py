"""What AWS's names of errors mean: later, not before somebody acts, too large.

    AWS ~~> aws -> [aws_errors] -> log_groups, xray

Services share most of these names; what is not among them is wrong with the records themselves.
"""

from __future__ import annotations

from typing import Final

LATER: Final = frozenset(
    (
        "InternalFailure",
        "InternalServerError",
        "InvalidSequenceTokenException",
        "LimitExceededException",
        "OperationAbortedException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceQuotaExceededException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)
FORBIDDEN: Final = frozenset(("AccessDenied", "AccessDeniedException", "NotAuthorized"))
WHO: Final = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
ELSEWHERE: Final = frozenset(
    ("UnknownOperationException", "InvalidAction", "UnsupportedOperationException")
)
TOO_LARGE: Final = frozenset(("RequestEntityTooLarge", "RequestEntityTooLargeException"))
