"""Who is asking: STS GetCallerIdentity, which clients call to build the ARN of a group.

    endpoint -> [identity] ~~> watchtower, aws cli

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

from typing import Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.responses import Response

from clerestory.server.aws.errors import PAGE
from clerestory.server.aws.names import ACCOUNT

FORM_BYTES_READ: Final = 10_000
_SPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"
_USER: Final = "clerestory"


def action_of(body: bytes) -> str:
    """Return the action that a form names; empty if it names none."""
    return parse_qs(body[:FORM_BYTES_READ].decode("utf-8", "replace")).get("Action", [""])[0]


def answer(action: str, request_id: str) -> Response:
    """Answer a call in AWS's query protocol: GetCallerIdentity, or an error that names it."""
    status = f"<RequestId>{request_id}</RequestId>"
    if action != "GetCallerIdentity":
        message = f"{action[:100]} is no operation that this server knows; see {PAGE}."
        error = f"<Code>InvalidAction</Code><Message>{escape(message)}</Message>"
        return _xml(
            f'<ErrorResponse xmlns="{_SPACE}"><Error><Type>Sender</Type>{error}</Error>{status}'
            "</ErrorResponse>",
            400,
        )
    user = (
        f"<Arn>arn:aws:iam::{ACCOUNT}:user/{_USER}</Arn><UserId>{_USER}</UserId>"
        f"<Account>{ACCOUNT}</Account>"
    )
    return _xml(
        f'<GetCallerIdentityResponse xmlns="{_SPACE}"><GetCallerIdentityResult>{user}'
        f"</GetCallerIdentityResult><ResponseMetadata>{status}</ResponseMetadata>"
        "</GetCallerIdentityResponse>",
        200,
    )


def _xml(text: str, status: int) -> Response:
    return Response(text, status, media_type="text/xml")
