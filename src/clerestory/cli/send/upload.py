"""Batches of numbered records to the server, again if need be.

    (number, record) -> [upload] ~~> POST /v1/records

Invariant: batches go out in order, one at a time, each until it is acknowledged; then it counts.
"""

import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from clerestory.cli.remote.client import ApiError, Client, ServerError
from clerestory.cli.send.formats import Record
from clerestory.model.errors import ClerestoryError

BATCH_BYTES: Final = 4 * 1024 * 1024
# A gap in the numbers is sent as empty lines, so it may not be endless either.
BATCH_LINES: Final = 20_000
RECORD_BYTES_MAX: Final = 1_000_000
ATTEMPTS_MAX: Final = 8
WAIT_S_FIRST: Final = 0.25
WAIT_S_MAX: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the records of one file."""

    made: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    oldest_ns: int | None = None


class Upload:
    """One spool on its way to the server."""

    def __init__(self, client: Client, *, spool_id: str, resource: Mapping[str, object]) -> None:
        self._client = client
        self._spool_id = spool_id
        self._resource = quote(json.dumps(resource), safe="")
        self._counts = Counts()
        self._first = 0
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, number: int, record: Record | str) -> None:
        """Take the record of a line; numbers rise."""
        line = record.encode("utf-8", "replace") if isinstance(record, str) else _encoded(record)
        gap = number - self._first - len(self._lines)
        if self._lines and (
            self._size + len(line) > BATCH_BYTES or len(self._lines) + gap >= BATCH_LINES
        ):
            self._post()
            gap = 0
        if not self._lines:
            self._first = number
        else:
            self._lines.extend([b""] * gap)
        self._lines.append(line)
        self._size += len(line) + 1
        self._counts.made += 1
        self._remember_age(record)

    def finish(self) -> Counts:
        """Send what is left and return the counts.

        Raises:
            ClerestoryError: The server did not take a batch; says how to go on.
        """
        if self._lines:
            self._post()
        return self._counts

    def _post(self) -> None:
        body = gzip.compress(b"\n".join(self._lines) + b"\n", compresslevel=1)
        headers = {
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            "Clerestory-Spool": self._spool_id,
            "Clerestory-First": str(self._first),
            "Clerestory-Resource": self._resource,
        }
        answer = self._until_taken(body, headers)
        self._counts.stored += int(answer.get("stored", 0))
        self._counts.duplicate += int(answer.get("duplicate", 0))
        self._counts.rejected += int(answer.get("rejected", 0))
        self._lines, self._size = [], 0

    def _until_taken(self, body: bytes, headers: Mapping[str, str]) -> Mapping[str, int]:
        wait_s = WAIT_S_FIRST
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                answer: Mapping[str, int] = self._client.post("/v1/records", body, headers)
            except ApiError as error:
                final = error.status < 500 and error.status not in {408, 429}
                if final or attempt == ATTEMPTS_MAX:
                    raise self._failed(error) from None
                wait_s = error.retry_after_s or wait_s
            except ServerError as error:
                if attempt == ATTEMPTS_MAX or not self._counts.stored:
                    raise self._failed(error) from None
            else:
                return answer
            time.sleep(wait_s)
            wait_s = min(WAIT_S_MAX, wait_s * 2)
        raise AssertionError  # the last attempt returned or raised

    def _failed(self, error: Exception) -> ClerestoryError:
        before = self._counts.stored + self._counts.duplicate
        return ClerestoryError(
            f"line {self._first + 1} and after it: {error}; {before} records are stored, "
            "the same command goes on from there"
        )

    def _remember_age(self, record: Record | str) -> None:
        moment = record.get("timestamp") if isinstance(record, dict) else None
        oldest = self._counts.oldest_ns
        if isinstance(moment, int) and (oldest is None or moment < oldest):
            self._counts.oldest_ns = moment


def _encoded(record: Record) -> bytes:
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")
    if len(line) <= RECORD_BYTES_MAX:
        return line
    short = {key: value for key, value in record.items() if key != "exception"}
    short = {key: value for key, value in short.items() if len(str(value)) < 1000}
    short["message"] = str(record.get("message", ""))[: RECORD_BYTES_MAX // 8]
    short["clerestory.shortened_bytes"] = len(line)
    return json.dumps(short, ensure_ascii=False).encode("utf-8", "replace")
