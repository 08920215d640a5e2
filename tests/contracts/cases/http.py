"""The destination `http` under the contract."""

from clerestory.destinations.http import Http, HttpConfig
from tests.contracts.case import Case
from tests.doubles.http import HttpReceiver

CASE = Case(
    name="http",
    receiver=HttpReceiver,
    destination=lambda receiver, timeout=5.0: Http(
        HttpConfig(url=f"{receiver.url}/in", token="s3cr3t-token", timeout=timeout)
    ),
    poison={"poison": True},
    secrets=("s3cr3t-token",),
    messages=lambda receiver: [record["message"] for record in receiver.records],
)
