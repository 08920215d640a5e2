"""The destination `xray` under the contract."""

import time
from dataclasses import replace

import msgspec

from clerestory.destinations.services.xray import Xray, XrayConfig
from tests.contracts.case import Case
from tests.doubles.xray import KEY, SECRET, XrayApi, error


class Spans(Xray):
    """The destination, given a span for each line of the suite."""

    def send(self, batch):
        lines = [
            _span(line, batch.record_id(index), batch.first + index)
            for index, line in enumerate(batch.lines.split(b"\n")[:-1])
        ]
        return super().send(replace(batch, lines=b"".join(one + b"\n" for one in lines)))


def _span(line, cid, number):
    told = msgspec.json.decode(line)
    span = {
        "timestamp": told["timestamp"],
        "level": "INFO",
        "logger": "contract",
        "kind": "span",
        "span.kind": "server",
        "span.status": "unset",
        "message": "contract",
        "trace_id": f"{int(time.time()):08x}{number:024x}",
        "span_id": f"{number + 1:016x}",
        "duration_ns": 1000,
        "cid": cid,
        "text": told["message"],
        "poison": told.get("poison", False),
    }
    return msgspec.json.encode(span)


def receiver():
    def poisoned(document):
        if document["metadata"]["default"]["poison"]:
            return "InvalidSegment", "poison is not taken"
        return None

    double = XrayApi()
    double.unprocessed = poisoned
    return double


CASE = Case(
    name="xray",
    receiver=receiver,
    destination=lambda receiver, timeout=5.0: Spans(
        XrayConfig(
            region="eu-central-1",
            endpoint_url=receiver.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            timeout=timeout,
        )
    ),
    denied=error("UnrecognizedClientException", "The security token is invalid.", 403),
    poison={"poison": True},
    secrets=(SECRET,),
    messages=lambda receiver: [
        document["metadata"]["default"]["text"] for document in receiver.documents.values()
    ],
)
