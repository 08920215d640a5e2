"""Log groups and streams of CloudWatch Logs: put into, and created where they are missing.

    cloudwatch -> [log_groups] -> AwsService ~~> PutLogEvents, CreateLogGroup, CreateLogStream

Every answer that AWS documents has a meaning here: taken, later, not before somebody acts, never.

Invariant: what is missing is created once, and then the very same bytes are put again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from clerestory.model.errors import HoldError, RefusedError, RetryError, TooLargeError
from clerestory.transport.answers import settle
from clerestory.transport.aws import error_code
from clerestory.transport.aws_errors import ELSEWHERE, FORBIDDEN, LATER, TOO_LARGE, WHO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerestory.transport.aws import AwsService
    from clerestory.transport.exchange import Answer

_TARGET: Final = "Logs_20140328."
_TYPE: Final = "application/x-amz-json-1.1"
_MISSING: Final = "ResourceNotFoundException"
_EXISTS: Final = "ResourceAlreadyExistsException"
_ACCEPTED: Final = frozenset(("DataAlreadyAcceptedException",))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """A log stream.

    Attributes:
        group: Its log group.
        stream: Its name.
    """

    group: str
    stream: str


class LogGroups:
    """Puts events into streams.

    Args:
        service: The signed calls of CloudWatch Logs.
        create_group: Whether missing groups are created.
        create_stream: Whether missing streams are created.
        retention_days: Of groups that are created.
        tags: Of groups that are created.
    """

    def __init__(
        self,
        service: AwsService,
        *,
        create_group: bool,
        create_stream: bool,
        retention_days: int | None,
        tags: Mapping[str, str],
    ) -> None:
        self._service = service
        self._create_group = create_group
        self._create_stream = create_stream
        self._retention_days = retention_days
        self._tags = dict(tags)
        self._retention_due: set[str] = set()

    def put(
        self, place: LogPlace, body: Sequence[bytes], meanwhile: Callable[[], None] | None = None
    ) -> bytes:
        """Put a body of PutLogEvents and return the body of the answer.

        Args:
            place: Where it is put.
            body: In parts.
            meanwhile: Called while the answer is awaited, at most once.

        Raises:
            RetryError: AWS is busy, or away.
            HoldError: AWS does not know us, does not let us, or what is missing may not be
                created.
            RefusedError: AWS will never take this body.
        """
        answer = self._call("PutLogEvents", body, meanwhile)
        if error_code(answer) == _MISSING:
            self._create(place, answer)
            answer = self._call("PutLogEvents", body)
            if error_code(answer) == _MISSING:
                raise RetryError(f"{place.stream} was created and is not there yet")
        if error_code(answer) in _ACCEPTED:
            return b"{}"
        self._settle(answer, "PutLogEvents", place.group)
        return answer.body

    def _create(self, place: LogPlace, missing: Answer) -> None:
        if place.group in self._retention_due:
            self._put_retention(place.group)
        if not self._create_stream:
            if "log group" in missing.text() and self._create_group:
                self._create_group_of(place.group)
                raise _nobody_may(f"log stream {place.stream} in log group {place.group}")
            what = f"log stream {place.stream} in " if "log stream" in missing.text() else ""
            raise _nobody_may(f"{what}log group {place.group}")
        if error_code(self._create_stream_of(place)) != _MISSING:
            return
        if not self._create_group:
            raise _nobody_may(f"log group {place.group}")
        self._create_group_of(place.group)
        if error_code(self._create_stream_of(place)) == _MISSING:
            raise RetryError(f"log group {place.group} was created and is not there yet")

    def _create_stream_of(self, place: LogPlace) -> Answer:
        fields = {"logGroupName": place.group, "logStreamName": place.stream}
        answer = self._call("CreateLogStream", msgspec.json.encode(fields))
        if error_code(answer) not in {_MISSING, _EXISTS}:
            self._settle(answer, "CreateLogStream", place.group)
        return answer

    def _create_group_of(self, group: str) -> None:
        fields: dict[str, object] = {"logGroupName": group}
        if self._tags:
            fields["tags"] = self._tags
        answer = self._call("CreateLogGroup", msgspec.json.encode(fields))
        if error_code(answer) == _EXISTS:
            return
        self._settle(answer, "CreateLogGroup", group)
        if self._retention_days is not None:
            self._retention_due.add(group)
            self._put_retention(group)

    def _put_retention(self, group: str) -> None:
        fields = {"logGroupName": group, "retentionInDays": self._retention_days}
        answer = self._call("PutRetentionPolicy", msgspec.json.encode(fields))
        self._settle(answer, "PutRetentionPolicy", group)
        self._retention_due.discard(group)

    def _call(
        self,
        operation: str,
        body: bytes | Sequence[bytes],
        meanwhile: Callable[[], None] | None = None,
    ) -> Answer:
        return self._service.call(_TARGET + operation, body, _TYPE, meanwhile)

    def _settle(self, answer: Answer, operation: str, group: str) -> None:
        """Return if the call succeeded, else raise what the courier should do."""
        code = error_code(answer)
        text = f"CloudWatch Logs: {operation} answered {answer.status}: {answer.text()}"
        if answer.status >= 500 or answer.status == 429 or code in LATER:
            raise RetryError(text, wait_s=answer.retry_after_s())
        if code in FORBIDDEN:
            where = f"arn:aws:logs:{self._service.region}:*:log-group:{group}:*"
            raise HoldError(f"{text}; allow logs:{operation} on {where} in the IAM policy")
        if code in WHO:
            raise HoldError(
                f"{text}; check the AWS credentials and the clock of this machine; their identity "
                f"needs logs:{operation}"
            )
        if code in ELSEWHERE:
            raise HoldError(f"{text}; check endpoint_url: this is not CloudWatch Logs")
        if code == _MISSING:
            raise RetryError(text)
        if code in TOO_LARGE:
            raise TooLargeError(text)
        if answer.status < 400 or not code:
            settle(answer, f"CloudWatch Logs: {operation}")
        elif operation == "PutLogEvents":
            raise RefusedError(text)
        else:
            raise HoldError(f"{text}; check the names, the retention and the tags of the group")


def _nobody_may(what: str) -> HoldError:
    return HoldError(
        f"{what} does not exist and may not be created here: create it, or set create_log_group "
        "and create_log_stream to true"
    )
