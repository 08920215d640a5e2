"""Records that the page is tested with, and how they get into a server."""

import json
import time
from typing import Any

from tests.support.server import ServerProcess

LEVELS = ["INFO"] * 6 + ["DEBUG", "NOTICE", "WARNING", "ERROR"]
SERVICES = ["payments", "checkout", "shop-web"]


def record(number: int, *, age_s: float = 0.0, **more: Any) -> dict[str, Any]:
    level = LEVELS[number % len(LEVELS)]
    made: dict[str, Any] = {
        "timestamp": time.time_ns() - int(age_s * 1e9),
        "level": level,
        "logger": "shop.orders",
        "message": f"order {number} placed",
        "number": number,
        "kind_of": "even" if number % 2 == 0 else "odd",
        "trace_id": f"{number // 5:032x}",
    }
    if level == "ERROR":
        frame = {"file": "/srv/shop.py", "line": 7, "function": "pay", "code": "raise Refused"}
        made["exception"] = {"type": "Refused", "message": "no answer", "frames": [frame]}
    return made | more


def send(server: ServerProcess, records: list[dict[str, Any]], service: str = "") -> None:
    """Store records, a third from each service unless one is named."""
    if service:
        server.send(records, resource={"service.name": service})
        return
    for i, name in enumerate(SERVICES):
        server.send(records[i::3], resource={"service.name": name})


def calm() -> list[dict[str, Any]]:
    """Return six hundred records of the last ten minutes, by the clock of now."""
    return [record(number, age_s=600 - number) for number in range(600)]


HOSTILE_TEXT = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'> "
    "\x1b[31mred\x1b[0m \u202egnp.exe \x00 end\nsecond line"
)
KEYS: dict[str, Any] = {f"<b>key{i}</b>": f"value {i}" for i in range(500)}


def hostile() -> list[dict[str, Any]]:
    """Return records that a page could be broken with, by the clock of now."""
    return [
        record(1, message=HOSTILE_TEXT),
        record(2, message="x" * 900_000),
        record(3, message="five hundred", **KEYS),
        record(4, message="from the future", age_s=-120),
        record(5, message=json.dumps({"deep": ["<svg onload=window.hacked=1>"]}), level="CRITICAL"),
    ]
