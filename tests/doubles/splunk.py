"""A double of Splunk's HTTP Event Collector.

What the documents say: `{"text":"Success","code":0}`; 401 code 2 without a token, 403 code 4 for a
wrong one; 400 code 5 for no events, 6 with the number of the first event that is wrong, 7 for an
index that the token may not use, 12 without `event`, 13 for a blank one; 413 beyond the limit; 503
code 9 when the queues are full.
"""

import json
import re
from typing import Any

from tests.doubles.receiver import Receiver, Reply, Request


class SplunkReceiver(Receiver):
    """Keeps events.

    Attributes:
        events: What was taken, with time, host, source and fields.
        token: The only one that is known.
        indexes: Those that it may use.
    """

    def __init__(self, token: str = "s3cr3t-token") -> None:
        self.events: list[dict[str, Any]] = []
        self.token = token
        self.indexes = {"main"}
        self.bytes_max = 1_000_000_000
        super().__init__()

    def answer(self, request: Request) -> Reply:
        if request.path != "/services/collector/event":
            return Reply(status=404, body=b'{"text":"The requested URL was not found","code":404}')
        given = request.headers.get("authorization", "")
        if not given:
            return _said(401, 2, "Token is required")
        if given != f"Splunk {self.token}":
            return _said(403, 4, "Invalid token")
        if len(request.body) > self.bytes_max:
            return Reply(status=413, body=b"Content-Length too large")
        return self._take(request.body.decode())

    def throttled(self) -> Reply:
        return _said(503, 9, "Server is busy")

    def _take(self, text: str) -> Reply:
        found: list[dict[str, Any]] = []
        position = 0
        decoder = json.JSONDecoder()
        while position < len(text):
            try:
                event, position = decoder.raw_decode(text, position)
            except ValueError:
                return _said(400, 6, "Invalid data format", number=len(found))
            wrong = self._wrong(event, len(found))
            if wrong is not None:
                return wrong
            found.append(event)
        if not found:
            return _said(400, 5, "No data")
        for event in found:
            said = event["event"]
            self.events.append(event)
            self.accepted.append(said.get("_cid", "") if type(said) is dict else "")
        return _said(200, 0, "Success")

    def _wrong(self, event: dict[str, Any], number: int) -> Reply | None:
        if "event" not in event:
            return _said(400, 12, "Event field is required", number=number)
        if not event["event"]:
            return _said(400, 13, "Event field cannot be blank", number=number)
        if event.get("index", "main") not in self.indexes:
            return _said(400, 7, "Incorrect index", number=number)
        if not _is_time(event.get("time", 0)) or "poison" in str(event["event"]):
            return _said(400, 6, "Invalid data format", number=number)
        if not all(type(value) is str for value in event.get("fields", {}).values()):
            return _said(400, 15, "Error in handling indexed fields", number=number)
        return None


def _is_time(value: object) -> bool:
    """Say whether it is seconds since 1970, as a number or, as Splunk's client has it, a text."""
    if type(value) is str:
        return re.fullmatch(r"\d{1,10}(\.\d{1,9})?", value) is not None
    return type(value) in {int, float}


def _said(status: int, code: int, text: str, *, number: int = -1) -> Reply:
    content: dict[str, Any] = {"text": text, "code": code}
    if number >= 0:
        content["invalid-event-number"] = number
    body = json.dumps(content).encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})
