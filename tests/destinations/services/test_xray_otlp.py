"""Spans to X-Ray's OTLP endpoint: the destination `otlp` with signed requests."""

import pytest

from clerestory.destinations.otlp import Otlp, OtlpConfig
from clerestory.model.errors import ConfigurationError, HoldError
from tests.doubles.cloudwatch import KEY, SECRET, ApiError, check_signature
from tests.doubles.otlp import OtlpReceiver
from tests.support.batches import batch_of, line, span_line


class SignedReceiver(OtlpReceiver):
    """X-Ray's endpoint: OTLP, from who signs for the service `xray` alone."""

    def __init__(self, **more):
        self.secrets, self.token, self.clock_s = {KEY: SECRET}, "", 0.0
        super().__init__(**more)

    def answer(self, request):
        try:
            check_signature(self, request, "xray")
        except ApiError as refusal:
            return refusal.reply
        return super().answer(request)


@pytest.fixture
def double():
    with SignedReceiver() as one:
        yield one


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def made(double, **options):
    address = {"traces_endpoint": f"{double.url}/v1/traces", "region": "eu-central-1"}
    return Otlp(OtlpConfig(**{"sign": "xray", **address, **options}))


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_spans_arrive_signed(double, compression):
    """The double makes the signature again, with botocore, of what travelled."""
    one = made(double, compression=compression)

    one.send(batch_of(*(span_line(span_id=f"{n:016x}") for n in range(1, 40))))

    one.close()
    assert len(double.spans) == 39
    assert one.kinds == {"span"}


def test_a_clock_that_is_off_is_put_right(double):
    """The receiver's own clock stands in its answer."""
    double.clock_s = 4 * 3600
    one = made(double)

    one.send(batch_of(span_line()))

    one.close()
    assert len(double.spans) == 1
    assert len(double.requests) == 2


def test_a_wrong_secret_holds_the_spans(double, monkeypatch):
    """Somebody must act."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    one = made(double)

    with pytest.raises(HoldError, match="check the AWS credentials"):
        one.send(batch_of(span_line()))

    one.close()


def test_without_an_address_it_is_awss_own(monkeypatch):
    """`https://xray.REGION.amazonaws.com/v1/traces`, and logs go nowhere."""
    monkeypatch.setenv("AWS_REGION", "us-west-2")

    spans, logs = (Otlp(OtlpConfig(sign=service)) for service in ("xray", "logs"))

    assert spans.exchange.url == "https://xray.us-west-2.amazonaws.com/v1/traces"
    assert logs.exchange.url == "https://logs.us-west-2.amazonaws.com/v1/logs"
    assert [*spans.kinds, *logs.kinds] == ["span", "log"]
    assert spans.send(batch_of(line())).taken == 1
    for one in (spans, logs):
        one.close()


def test_without_a_region_it_cannot_sign():
    """Told at the start, with what to do."""
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        Otlp(OtlpConfig(sign="xray"))
