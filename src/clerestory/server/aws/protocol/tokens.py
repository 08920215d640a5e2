"""Tokens of pages: opaque, self-contained, and good for the request that they belong to.

    operations -> [tokens] ~~> client ~~> operations

Invariant: a token that we did not give, or gave for another request, is refused.
"""

import binascii
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from clerestory.server.aws.errors import invalid

INVALID: Final = "The specified nextToken is invalid."
_MAC_BYTES: Final = 12
_CHARACTERS_MAX: Final = 4096
_APART: Final = ("nextToken", "limit", "maxResults", "maxItems")


class Tokens:
    """Gives tokens and reads them back.

    >>> tokens = Tokens(b"k")
    >>> tokens.read(tokens.give([1, "a"], "Op", {"x": 1}), "Op", {"x": 1})
    [1, 'a']
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def give(self, position: Any, operation: str, given: Mapping[str, Any]) -> str:
        """Return a token of a position in the answer to a request."""
        content = msgspec.msgpack.encode(position)
        return (
            urlsafe_b64encode(self._mac(content, operation, given) + content).decode().rstrip("=")
        )

    def read(self, token: str, operation: str, given: Mapping[str, Any]) -> Any:
        """Return the position of a token.

        Raises:
            AwsError: It is not a token of this request.
        """
        if len(token) > _CHARACTERS_MAX:
            raise invalid(INVALID)
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError) as error:
            raise invalid(INVALID) from error
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(content, operation, given)):
            raise invalid(INVALID)
        return msgspec.msgpack.decode(content)

    def _mac(self, content: bytes, operation: str, given: Mapping[str, Any]) -> bytes:
        asked = {name: value for name, value in given.items() if name not in _APART}
        request = msgspec.json.encode([operation, asked], order="deterministic")
        return hmac.digest(self._key, request + content, hashlib.sha256)[:_MAC_BYTES]
