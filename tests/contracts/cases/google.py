"""The destination `google` under the contract."""

import tempfile
from pathlib import Path

from clerestory.destinations.services.google import GoogleCloud, GoogleCloudConfig
from tests.contracts.case import Case
from tests.doubles.google import GoogleReceiver
from tests.doubles.receiver import Reply

_FOLDER = tempfile.TemporaryDirectory(prefix="clerestory-google-")


class _Logging(GoogleReceiver):
    """The service alone: faults do not hit the token service."""

    def __init__(self) -> None:
        self.identity = GoogleReceiver()
        super().__init__()
        self.tokens = self.identity.tokens

    def close(self) -> None:
        """Stop both."""
        self.identity.close()
        super().close()


def _destination(receiver, timeout=5.0):
    return GoogleCloud(
        GoogleCloudConfig(
            project_id="shop-1",
            log_name="app",
            endpoint=receiver.url,
            credentials_file=receiver.identity.key_file(Path(_FOLDER.name)),
            timeout=timeout,
        )
    )


CASE = Case(
    name="google",
    receiver=_Logging,
    destination=_destination,
    denied=Reply(status=403, body=b'{"error":{"code":403,"status":"PERMISSION_DENIED"}}'),
    poison={"message": "poison"},
    idempotent=True,
    secrets=("PRIVATE KEY", "token-1"),
    messages=lambda receiver: [one["jsonPayload"]["message"] for one in receiver.entries.values()],
)
