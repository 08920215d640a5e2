"""A double of Datadog's logs intake.

What the documents say: 202 `{}`; 403 Forbidden for a wrong key; 400 for a body that is no JSON
array or has more than 1000 items; 413 Payload Too Large beyond 5 MB uncompressed; 429 Too Many
Requests. An item beyond 1 MB is taken and cut; one older than 18 hours is taken and thrown away.
"""

import json
import time
from typing import Any

from tests.doubles.receiver import Receiver, Reply, Request

ITEM_BYTES_MAX = 1_000_000


class DatadogReceiver(Receiver):
    """Keeps items.

    Attributes:
        items: What was kept.
        cut: How many items were longer than the limit.
        thrown_away: Items that were too old or too new.
        key: The only one that is known.
    """

    def __init__(self, key: str = "s3cr3t-key") -> None:
        self.items: list[dict[str, Any]] = []
        self.cut = 0
        self.thrown_away = 0
        self.key = key
        super().__init__()

    def answer(self, request: Request) -> Reply:
        if request.path != "/api/v2/logs" or request.method != "POST":
            return Reply(status=404, body=b'{"errors":["Not Found"]}')
        if request.headers.get("dd-api-key") != self.key:
            return _error(403, "Forbidden", "API key is invalid")
        if len(request.body) > 5_000_000:
            return _error(413, "Payload Too Large", "max content length reached")
        try:
            items = json.loads(request.body)
        except ValueError:
            return _error(400, "Bad Request", "malformed JSON")
        if not isinstance(items, list) or len(items) > 1000:
            return _error(400, "Bad Request", "an array of at most 1000 items is expected")
        if any("poison" in str(one.get("message")) for one in items):
            return _error(400, "Bad Request", "an item cannot be read")
        for one in items:
            self._keep(one)
        return Reply(status=202, body=b"{}", headers={"Content-Type": "application/json"})

    def throttled(self) -> Reply:
        return _error(429, "Too Many Requests", "slow down")

    def _keep(self, one: dict[str, Any]) -> None:
        size = len(json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode())
        self.cut += size > ITEM_BYTES_MAX
        age_s = time.time() - one.get("timestamp", time.time() * 1000) / 1000
        if not -2 * 3600 <= age_s <= 18 * 3600:
            self.thrown_away += 1
            return
        self.items.append(one)
        self.accepted.append(one.get("_cid", ""))


def _error(status: int, title: str, detail: str) -> Reply:
    error = {"status": str(status), "title": title, "detail": detail}
    return Reply(status=status, body=json.dumps({"errors": [error]}).encode())
