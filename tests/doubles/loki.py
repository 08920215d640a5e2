"""A double of Loki's push API, with the default limits of Loki 3.

204 for what was kept; 400 in plain text for entries older than a week, beyond 256 KB, or with more
than 128 or 64 KB of structured metadata, while the other entries of the push are kept; 400 for
labels that are none; 401 `no org id` without a tenant; 429 `Ingestion rate limit exceeded`. An
entry with equal labels, time and text is kept once.
"""

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from tests.doubles.receiver import Receiver, Reply, Request

AGE_S_MAX = 7 * 86400
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class LokiReceiver(Receiver):
    """Keeps entries by stream.

    Attributes:
        streams: Labels, as sorted pairs, to entries of (ns, text, metadata).
        tenant: What X-Scope-OrgID must be; empty for anything.
        authorization: What the header must be; empty for anything.
        behind: Entries with this text are too far behind their stream.
        orders: Whether each stream of each push was in order.
    """

    def __init__(self) -> None:
        self.streams: dict[tuple[tuple[str, str], ...], list[tuple[int, str, Any]]] = {}
        self.tenant = ""
        self.authorization = ""
        self.behind = ""
        self.orders: list[bool] = []
        super().__init__()

    def answer(self, request: Request) -> Reply:
        if request.path != "/loki/api/v1/push":
            return Reply(status=404, body=b"404 page not found\n")
        if self.tenant and request.headers.get("x-scope-orgid") != self.tenant:
            return Reply(status=401, body=b"no org id\n")
        if self.authorization and request.headers.get("authorization") != self.authorization:
            return Reply(status=401, body=b"Unauthorized\n")
        errors: list[str] = []
        for stream in json.loads(request.body)["streams"]:
            labels = stream["stream"]
            if len(labels) > 15 or not all(NAME.fullmatch(name) for name in labels):
                return Reply(status=400, body=b"error parsing labels")
            moments = [int(value[0]) for value in stream["values"]]
            self.orders.append(moments == sorted(moments))
            key = tuple(sorted(labels.items()))
            errors += [wrong for value in stream["values"] if (wrong := self._keep(key, *value))]
        if errors:
            return Reply(status=400, body="\n".join(errors).encode())
        return Reply(status=204)

    def throttled(self) -> Reply:
        return Reply(status=429, body=b"Ingestion rate limit exceeded for user fake")

    def _keep(self, key, ns_text: str, text: str, metadata: dict[str, str] | None = None) -> str:
        metadata = metadata or {}
        ns = int(ns_text)
        oldest = int((time.time() - AGE_S_MAX) * 1e9)
        if ns < oldest:
            return (
                f"entry for stream '{dict(key)}' has timestamp too old: {_rfc3339(ns)}, "
                f"oldest acceptable timestamp is: {_rfc3339(oldest)}"
            )
        if len(text.encode()) > 256 * 1024:
            return f"Max entry size '262144' bytes exceeded for stream '{dict(key)}'"
        size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
        if size > 64 * 1024 or len(metadata) > 128:
            return f"stream '{dict(key)}' has structured metadata too large"
        if not all(NAME.fullmatch(name) and type(value) is str for name, value in metadata.items()):
            return "structured metadata is not understood"
        if self.behind and self.behind in text:
            return (
                f"entry with timestamp {_go(ns)} +0000 UTC ignored, reason: 'entry too far "
                "behind',\nuser 'fake', total ignored: 1 out of 2 for stream: {}"
            )
        entries = self.streams.setdefault(key, [])
        if (ns, text) not in [(one[0], one[1]) for one in entries]:
            entries.append((ns, text, metadata))
            self.accepted.append(metadata.get("_cid", ""))
        return ""


def _rfc3339(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _go(ns: int) -> str:
    fraction = f".{ns % 10**9:09d}".rstrip("0").rstrip(".")
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S") + fraction
