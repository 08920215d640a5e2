"""The destination `otlp` under the contract."""

from clerestory.destinations.otlp import Otlp, OtlpConfig
from tests.contracts.case import Case
from tests.doubles.otlp import OtlpReceiver

CASE = Case(
    name="otlp",
    receiver=OtlpReceiver,
    destination=lambda receiver, timeout=5.0: Otlp(
        OtlpConfig(
            endpoint=receiver.url, headers={"x-honeycomb-team": "s3cr3t-key"}, timeout=timeout
        )
    ),
    poison={"message": "poison"},
    secrets=("s3cr3t-key",),
    messages=lambda receiver: [record.body.string_value for record in receiver.records],
)
