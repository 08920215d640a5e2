"""An address that takes JSON lines, checks a token, and refuses a batch with poison in it."""

import json
from typing import Any

from tests.doubles.receiver import Receiver, Reply, Request


class HttpReceiver(Receiver):
    """Keeps `records` in the order in which they came."""

    def __init__(self, **options) -> None:
        self.records: list[dict[str, Any]] = []
        super().__init__(**options)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer s3cr3t-token":
            return Reply(status=401, body=b"who are you?")
        if len(request.body) > 4_000_000:
            return Reply(status=413, body=b"4,000,000 bytes are the limit")
        records = [json.loads(line) for line in request.body.splitlines()]
        if any(record.get("poison") for record in records):
            return Reply(status=400, body=b"poison is not taken")
        self.records += records
        self.accepted += [record["_cid"] for record in records]
        return Reply(status=202)
