"""The destination google beside Google's own client."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import logging as google_logging

from clerestory.destinations.services.google import GoogleCloud, GoogleCloudConfig
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from clerestory.transport.google import GoogleIdentity
from clerestory.transport.tokens import TokenCache
from tests.doubles.google import ENTRY_BYTES_MAX, GoogleReceiver
from tests.support.batches import EXCEPTION, SPAN, SPOOL, TRACE, batch_of, line


@pytest.fixture
def receiver():
    with GoogleReceiver() as one:
        yield one


@pytest.fixture
def destination(made, receiver, tmp_path):
    return made(GoogleCloud, config_of(receiver, tmp_path))


def config_of(receiver, tmp_path, **more):
    key = receiver.key_file(tmp_path)
    return GoogleCloudConfig(endpoint=receiver.url, credentials_file=key, log_name="a/b", **more)


def entries_of(receiver):
    return list(receiver.entries.values())


def test_records_become_entries(receiver, destination):
    """Severity, time to the nanosecond, payload, trace, source; the project is the key's."""
    fields: dict[str, Any] = {"exception.type": "ValueError", "exception": EXCEPTION, "big": 2**60}

    receipt = destination.send(
        batch_of(line(user_id="u", trace_id=TRACE, span_id=SPAN), b"", line(**fields), first=3)
    )

    assert (receipt.taken, receipt.refused) == (3, ())
    assert receiver.accepted == [f"{SPOOL}:3", f"{SPOOL}:5"]
    one, two = entries_of(receiver)
    assert one == {
        "logName": "projects/shop-1/logs/a%2Fb",
        "resource": {"type": "global", "labels": {}},
        "labels": {
            "service.name": "shop",
            "service.version": "1.2.3",
            "deployment.environment.name": "test",
            "host.name": "web-1",
            "process.pid": "4242",
        },
        "severity": "INFO",
        "timestamp": "2026-11-22T02:33:43.428724290Z",
        "insertId": f"{SPOOL}:3",
        "jsonPayload": {"logger": "shop.orders", "message": "order placed", "user_id": "u"},
        "sourceLocation": {"file": "main", "line": "42", "function": "order"},
        "trace": f"projects/shop-1/traces/{TRACE}",
        "spanId": SPAN,
    }
    assert two["jsonPayload"]["stack_trace"].endswith("ValueError: no such order")
    assert two["jsonPayload"]["serviceContext"] == {"service": "shop", "version": "1.2.3"}
    assert two["jsonPayload"]["big"] == str(2**60)


def test_googles_own_client_writes_the_same_entry(receiver, destination):
    """Field for field what the client sends for the same record."""
    receiver.needs_token = False
    client = google_logging.Client(
        project="shop-1",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": receiver.url},
        _use_grpc=False,
    )
    destination.send(batch_of(line(user_id="u", trace_id=TRACE, span_id=SPAN)))
    (ours,) = entries_of(receiver)
    receiver.entries.clear()
    source = {"file": "main", "line": 42, "function": "order"}
    client.logger("a%2Fb").log_struct(
        ours["jsonPayload"],
        severity="INFO",
        insert_id=ours["insertId"],
        trace=ours["trace"],
        span_id=SPAN,
        source_location=source,
        labels=ours["labels"],
        resource=google_logging.Resource(type="global", labels={}),
    )

    (theirs,) = [one for one in entries_of(receiver) if one.get("insertId") == ours["insertId"]]

    same = ("logName", "severity", "jsonPayload", "trace", "spanId", "resource", "labels")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert theirs["sourceLocation"] == ours["sourceLocation"]
    client.close()


def test_a_batch_that_is_sent_again_is_kept_once(receiver, destination):
    """The service removes entries with equal time and insertId."""
    destination.send(batch_of(line("first")))
    receiver.fail("drop_answer")
    batch = batch_of(line("a"), line("b"), first=1)

    with pytest.raises(RetryError):
        destination.send(batch)
    destination.send(batch)

    assert len(receiver.entries) == 3


def test_only_the_entries_that_are_wrong_are_refused(receiver, destination):
    """partialSuccess: the others of the request are written; nothing is sent again."""
    receipt = destination.send(batch_of(line("a"), b"", line("poison"), line("b")))

    assert [(one.index, one.reason) for one in receipt.refused] == [
        (2, "Log entry has an invalid timestamp")
    ]
    assert len(receiver.entries) == 2


def test_an_entry_that_met_trouble_comes_again_with_its_batch(receiver, destination):
    """And what was written meanwhile is not written twice."""
    receiver.busy = 1
    batch = batch_of(line("a"), line("b"))

    with pytest.raises(RetryError, match="currently unavailable"):
        destination.send(batch)
    destination.send(batch)

    assert len(receiver.entries) == 2


@pytest.mark.parametrize("text", ["x" * 300_000, "é" * 150_000, '"' * 200_000])
def test_an_entry_beyond_256_kb_is_shortened_and_says_so(receiver, destination, text):
    """The limit is in bytes of the entry, whatever the characters."""
    receipt = destination.send(batch_of(line(text, user_id="u")))

    (one,) = entries_of(receiver)
    assert receipt.refused == ()
    assert one["jsonPayload"]["_truncated_bytes"] > 0
    assert one["jsonPayload"]["user_id"] == "u"
    assert len(one["jsonPayload"]["message"].encode()) > ENTRY_BYTES_MAX // 3


@pytest.mark.parametrize(
    ("level", "severity"),
    [("TRACE", "DEBUG"), ("NOTICE", "NOTICE"), ("ALERT", "ALERT"), ("EMERGENCY", "EMERGENCY")],
)
def test_levels_have_googles_names(receiver, destination, level, severity):
    """Google has the names of syslog."""
    destination.send(batch_of(line(level=level)))

    assert entries_of(receiver)[0]["severity"] == severity


def test_one_token_serves_many_requests_and_a_revoked_one_is_replaced(receiver, destination):
    """A token lives an hour; when it is taken back earlier, another is fetched at once."""
    destination.send(batch_of(line("a")))
    destination.send(batch_of(line("b"), first=1))
    given = receiver.given
    receiver.tokens.clear()
    destination.send(batch_of(line("c"), first=2))

    assert (given, receiver.given) == (1, 2)
    assert len(receiver.entries) == 3


def test_a_token_is_renewed_five_minutes_before_it_ends():
    """A request that is on its way when its token ends would be refused."""
    now = [0.0]
    fetched = []

    def fetch():
        fetched.append(now[0])
        if now[0] == 3400:
            raise RetryError("away")
        return f"t{len(fetched)}", 3600

    token = TokenCache(fetch, clock=lambda: now[0])
    found = []
    for now[0] in (0.0, 3299.0, 3301.0, 3301.0 + 3299):
        found.append(token())

    assert found == ["t1", "t1", "t2", "t2"]


def test_a_token_that_is_still_good_is_used_while_the_token_service_is_away():
    """Five minutes are there to be used."""
    now, away = [0.0], list[int]()

    def fetch():
        if away:
            raise RetryError("away")
        return "t", 3600.0

    token = TokenCache(fetch, clock=lambda: now[0])
    token()
    away.append(1)
    now[0] = 3500.0
    kept = token()
    now[0] = 3601.0

    assert kept == "t"
    with pytest.raises(RetryError):
        token()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"private_key": "nonsense"}, "no RSA key"),
        ({"type": "external_account"}, "are not understood"),
        ({"client_email": "x", "token_uri": "http://127.0.0.1:9/token"}, "127.0.0.1:9"),
    ],
)
def test_a_key_that_is_no_use_holds_and_does_not_show(receiver, made, tmp_path, content, words):
    """What is wrong is said without the key itself."""
    key = receiver.key_file(tmp_path, **content)
    one = made(GoogleCloud, GoogleCloudConfig(endpoint=receiver.url, credentials_file=key))

    with pytest.raises((HoldError, RetryError), match=words) as error:
        one.send(batch_of(line()))

    assert "PRIVATE" not in str(error.value)


def test_a_signature_that_is_not_ours_holds(receiver, made, tmp_path):
    """A key that was deleted in the console."""
    key = receiver.key_file(tmp_path)
    receiver.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    one = made(GoogleCloud, GoogleCloudConfig(endpoint=receiver.url, credentials_file=key))

    with pytest.raises(HoldError, match=r"invalid_grant.*check the key"):
        one.send(batch_of(line()))


def test_an_account_that_may_not_write_holds(receiver, destination):
    """The message has Google's words."""
    receiver.denied = True

    with pytest.raises(HoldError, match=r"logging\.logEntries\.create"):
        destination.send(batch_of(line()))


def test_a_key_file_that_is_missing_holds(made, tmp_path):
    """It may be mounted later."""
    key = str(tmp_path / "none.json")

    with pytest.raises(HoldError, match="cannot be read"):
        made(GoogleCloud, GoogleCloudConfig(credentials_file=key)).send(batch_of(line()))


def test_the_machines_own_account_and_project_are_found(receiver):
    """On Compute Engine, Cloud Run and GKE nothing is to be configured."""
    host = receiver.url.removeprefix("http://")
    identity = GoogleIdentity(environment={"GCE_METADATA_HOST": host, "HOME": "/nowhere"})

    assert identity.token() in receiver.tokens
    assert identity.project() == "machine-1"


def test_a_machine_without_any_credentials_says_what_to_set():
    """Nothing is configured, and it is no machine of Google's."""
    identity = GoogleIdentity(environment={"GCE_METADATA_HOST": "127.0.0.1:9", "HOME": "/nowhere"})

    with pytest.raises(RetryError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        identity.token()


def test_gclouds_own_credentials_are_found(receiver, tmp_path):
    """After `gcloud auth application-default login`."""
    folder = tmp_path / ".config/gcloud"
    folder.mkdir(parents=True)
    made = receiver.key_file(
        folder, type="authorized_user", refresh_token="right", quota_project_id="mine",
        project_id="",
    )  # fmt: skip
    (folder / "key.json").rename(folder / "application_default_credentials.json")
    assert made.endswith("key.json")

    identity = GoogleIdentity(environment={"HOME": str(tmp_path)})

    assert identity.token() in receiver.tokens
    assert identity.project() == "mine"


def test_an_endpoint_of_another_kind_is_an_error():
    """Before the first record."""
    with pytest.raises(ConfigurationError):
        GoogleCloud(GoogleCloudConfig(endpoint="logging.googleapis.com"))


def test_time_passes_in_the_clock_of_tokens_as_everywhere():
    """The default clock never goes back."""
    token = TokenCache(lambda: ("t", 1000.0))

    assert token() == "t"
    assert token._renew_at > time.monotonic()
