"""Encryption, which is only kept, and what daemons report of themselves.

endpoint -> [settings] -> catalog, telemetry
"""

from typing import Any

from clerestory.server.xray.errors import invalid
from clerestory.server.xray.service import Call


def get_encryption_config(call: Call) -> dict[str, Any]:
    """Answer GetEncryptionConfig."""
    kept = call.service.catalog.value("encryption", {"Type": "NONE"})
    return {"EncryptionConfig": {**kept, "Status": "ACTIVE"}}


def put_encryption_config(call: Call) -> dict[str, Any]:
    """Answer PutEncryptionConfig: it is kept and has no effect."""
    kind, key = call.given["Type"], call.given.get("KeyId")
    if (kind == "KMS") != (key is not None):
        raise invalid("KeyId is needed with Type KMS, and only with it.")
    kept = {"Type": kind} | ({"KeyId": key} if key is not None else {})
    call.service.catalog.put_value("encryption", kept)
    return get_encryption_config(call)


def put_telemetry_records(call: Call) -> dict[str, Any]:
    """Answer PutTelemetryRecords."""
    call.service.telemetry.take(call.given["TelemetryRecords"])
    return {}
