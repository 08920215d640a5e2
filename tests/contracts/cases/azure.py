"""The destination `azure` under the contract."""

from clerestory.destinations.services.azure import AzureMonitor, AzureMonitorConfig
from tests.contracts.case import Case
from tests.doubles.azure import RULE, AzureReceiver
from tests.doubles.receiver import Reply


class _Ingestion(AzureReceiver):
    """The service alone: faults do not hit the token service."""

    def __init__(self) -> None:
        self.identity = AzureReceiver()
        super().__init__()
        self.tokens = self.identity.tokens

    def close(self) -> None:
        """Stop both."""
        self.identity.close()
        super().close()


CASE = Case(
    name="azure",
    receiver=_Ingestion,
    destination=lambda receiver, timeout=5.0: AzureMonitor(
        AzureMonitorConfig(
            dcr_endpoint=receiver.url,
            rule_id=RULE,
            log_type="App",
            tenant_id="tenant",
            client_id="client",
            client_secret="s3cr3t",
            authority=receiver.identity.url,
            timeout=timeout,
        )
    ),
    denied=Reply(status=403, body=b'{"error":{"code":"OperationFailed"}}'),
    poison={"message": "poison"},
    secrets=("s3cr3t", "token-1"),
    messages=lambda receiver: [row["Message"] for row in receiver.rows],
)
