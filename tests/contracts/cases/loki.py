"""The destination `loki` under the contract."""

from clerestory.destinations.services.loki import Loki, LokiConfig
from tests.contracts.case import Case
from tests.doubles.loki import LokiReceiver

CASE = Case(
    name="loki",
    receiver=LokiReceiver,
    destination=lambda receiver, timeout=5.0: Loki(
        LokiConfig(url=receiver.url, token="s3cr3t-token", timeout=timeout)
    ),
    poison={"timestamp": 1_500_000_000_000_000_000},
    idempotent=True,
    secrets=("s3cr3t-token",),
    messages=lambda receiver: [
        text for entries in receiver.streams.values() for _, text, _ in entries
    ],
)
