"""A double of Elasticsearch, or of OpenSearch: `_bulk` and the two requests its clients make.

What the documents say: 401 security_exception without credentials, 413 beyond
`http.max_content_length` (100 MB; less here on demand), 400 illegal_argument_exception for a body
that does not end with a line feed, per document 201, 409 version_conflict_engine_exception for an
`_id` that exists, 400 document_parsing_exception for a value that does not fit the mapping, 429
es_rejected_execution_exception when the write queue is full. A data stream takes `create` only
and needs `@timestamp`.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.doubles.receiver import Receiver, Reply, Request

TYPES = ("application/x-ndjson", "application/json", "application/vnd.elasticsearch+x-ndjson")


class ElasticsearchReceiver(Receiver):
    """Keeps documents by index and `_id`.

    Attributes:
        documents: By (index, id).
        authorization: What the header must be; empty for any.
        bytes_max: Largest body.
        full: So many of the next documents get 429.
        forbidden: Whether documents get 403.
        product: `elasticsearch` or `opensearch`.
    """

    def __init__(self, *, product: str = "elasticsearch", certificate: str = "") -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.authorization = ""
        self.bytes_max = 100 * 1024 * 1024
        self.full = 0
        self.forbidden = False
        self.product = product
        super().__init__(certificate=certificate)

    def answer(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        if self.authorization and request.headers.get("authorization") != self.authorization:
            return self._error(401, "security_exception", "unable to authenticate user")
        if request.method == "GET" and url.path == "/":
            return self._json(200, self._information())
        *before, last = url.path.strip("/").split("/")
        if last != "_bulk" or request.method not in ("POST", "PUT"):
            return self._error(400, "illegal_argument_exception", f"no handler for {url.path}")
        if request.headers.get("content-type", "").partition(";")[0] not in TYPES:
            return self._error(406, "media_type_header_exception", "Content-Type not supported")
        if len(request.body) > self.bytes_max:
            return Reply(status=413)
        if not request.body.endswith(b"\n"):
            text = "The bulk request must be terminated by a newline [\\n]"
            return self._error(400, "illegal_argument_exception", text)
        items = self._items(request.body, before[0] if before else "")
        errors = any("error" in outcome for item in items for outcome in item.values())
        found: dict[str, Any] = {"errors": errors, "items": items}
        if "filter_path" not in parse_qs(url.query):
            found["took"] = 1
        elif not errors:
            found["items"] = [{name: {"status": one["status"]} for name, one in i.items()}
                              for i in items]  # fmt: skip
        return self._json(200, found)

    def throttled(self) -> Reply:
        return self._error(429, "circuit_breaking_exception", "[parent] Data too large")

    def _information(self) -> dict[str, Any]:
        version = {"number": "9.1.0"}
        if self.product == "opensearch":
            version = {"number": "3.2.0", "distribution": "opensearch"}
        return {"name": "double", "cluster_name": "double", "version": version}

    def _items(self, body: bytes, index: str) -> list[dict[str, Any]]:
        lines = iter(body.decode().splitlines())
        items = []
        for line in lines:
            ((action, about),) = json.loads(line).items()
            name, identity = about.get("_index", index), about["_id"]
            items.append({action: self._store(action, name, identity, json.loads(next(lines)))})
        return items

    def _store(self, action: str, index: str, identity: str, source: dict[str, Any]):
        stream = index.startswith("logs-")
        if self.forbidden:
            return _failed(403, "security_exception", "action [indices:data/write] is unauthorized")
        if self.full > 0:
            self.full -= 1
            return _failed(429, "es_rejected_execution_exception", "rejected execution of write")
        if stream and action != "create":
            return _failed(400, "illegal_argument_exception", "only write ops with an op_type of "
                           "create are allowed in data streams")  # fmt: skip
        if stream and "@timestamp" not in source:
            return _failed(400, "document_parsing_exception", "data stream timestamp field "
                           "[@timestamp] is missing")  # fmt: skip
        if "poison" in str(source.get("message")):
            return _failed(400, "document_parsing_exception", "failed to parse field [order]")
        if action == "create" and (index, identity) in self.documents:
            text = f"[{identity}]: version conflict, document already exists"
            return _failed(409, "version_conflict_engine_exception", text)
        if (index, identity) not in self.documents:
            self.accepted.append(identity)
        self.documents[index, identity] = source
        return {"_index": index, "_id": identity, "result": "created", "status": 201}

    def _error(self, status: int, kind: str, reason: str) -> Reply:
        error = {"type": kind, "reason": reason}
        return self._json(status, {"error": {"root_cause": [error], **error}, "status": status})

    def _json(self, status: int, body: dict[str, Any]) -> Reply:
        headers = {"Content-Type": "application/json"}
        if self.product == "elasticsearch":
            headers["X-Elastic-Product"] = "Elasticsearch"
        return Reply(status=status, body=json.dumps(body).encode(), headers=headers)


def _failed(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason}}
