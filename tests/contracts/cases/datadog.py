"""The destination `datadog` under the contract."""

from clerestory.destinations.services.datadog import Datadog, DatadogConfig
from tests.contracts.case import Case
from tests.doubles.datadog import DatadogReceiver
from tests.doubles.receiver import Reply

CASE = Case(
    name="datadog",
    receiver=DatadogReceiver,
    destination=lambda receiver, timeout=5.0: Datadog(
        DatadogConfig(url=receiver.url, api_key="s3cr3t-key", timeout=timeout)
    ),
    denied=Reply(status=403, body=b'{"errors":[{"title":"Forbidden"}]}'),
    poison={"message": "poison"},
    secrets=("s3cr3t-key",),
    messages=lambda receiver: [one["message"] for one in receiver.items],
)
