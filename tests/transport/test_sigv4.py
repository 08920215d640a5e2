"""Signatures, beside botocore's."""

import random
import time
from calendar import timegm
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st

from clerestory.transport.exchange import Answer
from clerestory.transport.sigv4 import Credentials, Scope, Signer, sign

MOMENT = "20150830T123600Z"
MOMENT_S = float(timegm(time.strptime(MOMENT, "%Y%m%dT%H%M%SZ")))
LETTERS = "abzAZ09 /+=&%?#.~-_é日😀:@!$'()*,;"


def theirs(request, credentials, scope, moment):
    """Return botocore's Authorization header of a request, the clock at `moment`."""
    method, target, headers, body = request
    made = AWSRequest(
        method=method, url=f"https://{headers['Host']}{target}", headers=headers, data=body
    )
    signer: Any = auth.SigV4Auth(
        TheirCredentials(credentials.access_key, credentials.secret_key, credentials.token or None),
        scope.service,
        scope.region,
    )
    made.context["timestamp"] = moment
    signer._modify_request_before_signing(made)
    canonical = signer.canonical_request(made)
    signature = signer.signature(signer.string_to_sign(made, canonical), made)
    signer._inject_signature_to_request(made, signature)
    return dict(made.headers.items())


def text(chance, length):
    return "".join(chance.choice(LETTERS) for _ in range(chance.randrange(length)))


def random_request(chance):
    parts = [chance.choice([quote(text(chance, 9), safe=""), ".", "..", ""]) for _ in range(4)]
    target = "/" + "/".join(parts)
    pairs = [
        f"{quote(text(chance, 6), safe='')}={quote(text(chance, 6), safe='')}"
        for _ in range(chance.randrange(4))
    ]
    if pairs:
        target += "?" + "&".join(pairs)
    headers = {
        "Host": chance.choice(["logs.eu-central-1.amazonaws.com", "127.0.0.1:4318"]),
        "Content-Type": chance.choice(["application/x-amz-json-1.1", "  a   b  "]),
        "X-Amz-Target": f"Logs_20140328.{text(chance, 9)}",
        "User-Agent": "not signed",
        "Connection": "not signed",
    }
    return chance.choice(["POST", "get"]), target, headers, chance.randbytes(chance.randrange(300))


def test_ten_thousand_random_requests_have_botocores_signature():
    """Paths, queries, unicode, tokens: AWS accepts what botocore makes, so it accepts ours."""
    chance = random.Random(4)
    for number in range(10_000):
        request = random_request(chance)
        credentials = Credentials(
            access_key=f"AKID{number}",
            secret_key=text(chance, 30),
            token=chance.choice(["", "token/with+signs=="]),
        )
        scope = Scope(region=chance.choice(["eu-central-1", "cn-north-1"]), service="logs")

        ours = sign(request, credentials, scope, MOMENT_S)

        assert ours == theirs(request, credentials, scope, MOMENT), request


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), st.binary(max_size=100))
def test_any_unicode_path_has_botocores_signature(path, body):
    """Whatever a path holds, it is encoded as botocore encodes it."""
    target = "/" + quote(path, safe="/~")
    request = ("POST", target, {"Host": "h.example"}, body)
    credentials = Credentials(access_key="a", secret_key="b")
    scope = Scope(region="r", service="s")

    ours = sign(request, credentials, scope, MOMENT_S)

    assert ours == theirs(request, credentials, scope, MOMENT)


def test_old_signature_headers_are_replaced():
    """A request that is signed again bears one date, one token, one signature."""
    request = ("POST", "/", {"Host": "h"}, b"x")
    credentials = Credentials(access_key="a", secret_key="b", token="t")
    scope = Scope(region="r", service="s")
    once = sign(request, credentials, scope, MOMENT_S)

    again = sign(("POST", "/", once, b"x"), credentials, scope, MOMENT_S)

    assert again == once


def refusal(code, *, date_s):
    body = b'{"__type":"%b"}' % code.encode()
    headers = {"date": formatdate(date_s, usegmt=True)}
    return Answer(status=400, headers=headers, body=body)


def signer(now_s):
    credentials = Credentials(access_key="a", secret_key="b")
    return Signer(Scope(region="r", service="s"), lambda: credentials, now=lambda: now_s)


@pytest.mark.parametrize(
    "code",
    ["InvalidSignatureException", "RequestTimeTooSkewed", "SignatureDoesNotMatch"],
)
def test_a_clock_that_is_off_is_learnt_once(code):
    """The receiver's Date gives the offset; the same answer again teaches nothing new."""
    ours = signer(MOMENT_S - 3600)
    answer = refusal(code, date_s=MOMENT_S)

    first, second = ours.learns_from(answer), ours.learns_from(answer)

    assert (first, second) == (True, False)
    assert ours("POST", "/", {"Host": "h"}, b"")["X-Amz-Date"] == MOMENT


@pytest.mark.parametrize(
    "answer",
    [
        refusal("InvalidSignatureException", date_s=MOMENT_S + 3),
        refusal("AccessDeniedException", date_s=MOMENT_S + 9999),
        Answer(status=400, headers={}, body=b"InvalidSignatureException"),
        Answer(status=400, headers={"date": "soon"}, body=b"InvalidSignatureException"),
        Answer(status=200, headers={}, body=b"InvalidSignatureException"),
    ],
)
def test_other_refusals_leave_the_clock_alone(answer):
    """A wrong secret key must not look like a wrong clock."""
    assert not signer(MOMENT_S).learns_from(answer)


def test_secrets_are_not_shown():
    """What is printed of credentials can be put into a bug report."""
    shown = repr(Credentials(access_key="AKID", secret_key="secret-1", token="token-1"))

    assert "secret-1" not in shown
    assert "token-1" not in shown
