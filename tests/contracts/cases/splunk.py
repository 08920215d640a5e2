"""The destination `splunk` under the contract."""

from clerestory.destinations.services.splunk import Splunk, SplunkConfig
from tests.contracts.case import Case
from tests.doubles.receiver import Reply
from tests.doubles.splunk import SplunkReceiver

CASE = Case(
    name="splunk",
    receiver=SplunkReceiver,
    destination=lambda receiver, timeout=5.0: Splunk(
        SplunkConfig(url=receiver.url, token="s3cr3t-token", timeout=timeout)
    ),
    denied=Reply(status=403, body=b'{"text":"Invalid token","code":4}'),
    poison={"message": "poison"},
    secrets=("s3cr3t-token",),
    messages=lambda receiver: [one["event"]["message"] for one in receiver.events],
)
