"""The destination azure beside Microsoft's own client."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.monitor.ingestion import LogsIngestionClient

from clerestory.destinations.services.azure import AzureMonitor, AzureMonitorConfig
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from clerestory.transport.azure import AzureIdentity, AzureOptions
from tests.doubles.azure import RULE, AzureReceiver
from tests.support.batches import EXCEPTION, SPAN, SPOOL, TRACE, batch_of, line


@pytest.fixture
def receiver():
    with AzureReceiver() as one:
        yield one


def config_of(receiver, **more):
    options = {
        "dcr_endpoint": receiver.url,
        "rule_id": RULE,
        "log_type": "App",
        "tenant_id": "tenant-1",
        "client_id": "client-1",
        "client_secret": "s3cr3t",
        "authority": receiver.url,
    }
    return AzureMonitorConfig(**(options | more))


@pytest.fixture
def destination(made, receiver):
    return made(AzureMonitor, config_of(receiver))


def test_records_become_rows_of_the_table(receiver, destination):
    """Each field in its column, the rest in one dynamic column."""
    receipt = destination.send(
        batch_of(line(user_id="u", trace_id=TRACE, span_id=SPAN, exception=EXCEPTION), first=3)
    )

    (row,) = receiver.rows
    assert receipt.taken == 1
    assert row.pop("Exception").endswith("ValueError: no such order")
    assert row == {
        "TimeGenerated": "2026-11-22T02:33:43.428724290Z",
        "Level": "INFO",
        "Message": "order placed",
        "Logger": "shop.orders",
        "Module": "main",
        "Function": "order",
        "Line": 42,
        "TraceId": TRACE,
        "SpanId": SPAN,
        "ExceptionType": None,
        "Service": "shop",
        "ServiceVersion": "1.2.3",
        "Environment": "test",
        "Host": "web-1",
        "ProcessId": 4242,
        "RecordId": f"{SPOOL}:3",
        "Properties": {"user_id": "u"},
    }


def test_microsofts_own_client_sends_the_same_bytes(receiver, destination):
    """Path, query, type and the body under gzip are the client's."""
    receiver.needs_token = False
    destination.send(batch_of(*[line(f"m {n}") for n in range(20)]))
    ours = receiver.requests[-1]
    rows = list(receiver.rows)

    class Credential:
        def get_token(self, *_scopes, **_more):
            return AccessToken("t", 2**33)

    policy: Any = SansIOHTTPPolicy()
    with LogsIngestionClient(receiver.url, Credential(), authentication_policy=policy) as client:
        client.upload(RULE, "Custom-App_CL", rows)

    theirs = receiver.requests[-1]
    assert urlsplit(theirs.path).path == urlsplit(ours.path).path
    assert urlsplit(theirs.path).query == urlsplit(ours.path).query
    assert json.loads(theirs.body) == json.loads(ours.body)
    for name in ("content-type", "content-encoding"):
        assert theirs.headers[name] == ours.headers[name]
    assert receiver.rows == rows * 2


def test_a_batch_beyond_one_mebibyte_goes_in_parts(receiver, destination):
    """The limit counts what is uncompressed; the rest comes with the next batch."""
    lines = [line("x" * 100_000, n=n) for n in range(15)]

    receipt = destination.send(batch_of(*lines))
    rest = destination.send(batch_of(*lines[receipt.taken :], first=receipt.taken))

    assert receipt.taken == 10
    assert rest.taken == 5
    assert receiver.accepted == [f"{SPOOL}:{n}" for n in range(15)]


@pytest.mark.parametrize("text", ["x" * 1_100_000, '"' * 600_000])
def test_a_record_beyond_one_mebibyte_is_shortened_and_says_so(receiver, destination, text):
    """It is better cut than refused."""
    receipt = destination.send(batch_of(line(text)))

    assert receipt.taken == 1
    assert receiver.rows[0]["Properties"]["_truncated_bytes"] > 0
    assert len(receiver.requests[-1].body) > 900_000


def test_the_secret_buys_a_token_for_azure_monitor(receiver, destination):
    """Client credentials, scope and tenant as Entra wants them; one token for many calls."""
    destination.send(batch_of(line()))
    destination.send(batch_of(line(), first=1))

    assert receiver.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "client-1",
            "client_secret": "s3cr3t",
            "scope": "https://monitor.azure.com/.default",
            "path": "/tenant-1/oauth2/v2.0/token",
        }
    ]


def test_a_token_that_is_not_taken_any_more_is_replaced_at_once(receiver, destination):
    """Revoked in the portal."""
    destination.send(batch_of(line()))
    receiver.tokens.clear()

    destination.send(batch_of(line(), first=1))

    assert len(receiver.rows) == 2


def test_a_wrong_secret_holds_and_does_not_show(receiver, made):
    """In Entra's words, without the secret."""
    config = config_of(receiver, client_secret="wr0ng")

    with pytest.raises(HoldError, match=r"AADSTS7000215.*check tenant_id") as error:
        made(AzureMonitor, config).send(batch_of(line()))

    assert "wr0ng" not in f"{error.value} {config!r}"


def test_a_role_that_has_not_spread_holds(receiver, destination):
    """It takes up to half an hour; nothing is lost meanwhile."""
    receiver.spread = False

    with pytest.raises(HoldError, match="does not have access"):
        destination.send(batch_of(line()))


def test_a_secret_without_its_client_holds(receiver, made):
    """It says what is missing."""
    config = config_of(receiver, client_id="")

    with pytest.raises(HoldError, match="needs tenant_id and client_id"):
        made(AzureMonitor, config).send(batch_of(line()))


@pytest.mark.parametrize("kind", ["machine", "app"])
def test_a_managed_identity_needs_no_secret(receiver, kind):
    """Of a virtual machine, and of App Service, Functions and Container Apps."""
    environment = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": receiver.url}
    if kind == "app":
        endpoint = f"{receiver.url}/msi/token"
        environment = {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": "app-header"}

    token = AzureIdentity(AzureOptions(client_id="mine"), environment=environment).token()

    assert token in receiver.tokens
    assert receiver.asked[0]["resource"] == "https://monitor.azure.com"
    assert receiver.asked[0]["client_id"] == "mine"


def test_a_machine_without_an_identity_says_what_to_set():
    """Nothing is configured, and it is no machine of Azure's."""
    environment = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9"}

    with pytest.raises(RetryError, match="set tenant_id, client_id, client_secret"):
        AzureIdentity(AzureOptions(), environment=environment).token()


def test_a_token_service_that_is_away_is_asked_again_later(receiver, made):
    """No record is lost because of it."""
    with pytest.raises(RetryError):
        made(AzureMonitor, config_of(receiver, authority="http://127.0.0.1:9")).send(
            batch_of(line())
        )


def test_an_instrumentation_key_says_why_it_is_retired_and_what_to_pass():
    """Seed 001's example: the error is the migration guide."""
    with pytest.raises(ConfigurationError) as error:
        AzureMonitorConfig(instrumentation_key="k", log_type="App")

    for words in ("2026-09-14", "dcr_endpoint", "rule_id", "log_type", "managed identity"):
        assert words in str(error.value)


def test_what_is_missing_is_named():
    """All of it at once."""
    with pytest.raises(ConfigurationError, match="dcr_endpoint, rule_id, log_type or stream"):
        AzureMonitor(AzureMonitorConfig())
