"""Where a program runs on AWS, for each of its segments.

configure(plugins=...) -> [plugins] -> origin and aws of a segment
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError, DeliveryError
from clerestory.transport.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_METADATA_URL: Final = "http://169.254.169.254"
_BEANSTALK: Final = Path("/var/elasticbeanstalk/xray/environment.conf")
_TIMEOUT_S: Final = 1.0


def ec2(url: str = _METADATA_URL) -> dict[str, Any]:
    """Return instance and zone, as the machine's metadata service says; empty elsewhere."""
    exchange = Exchange(url, timeout_s=_TIMEOUT_S, connect_timeout_s=_TIMEOUT_S, compress=False)
    try:
        token = exchange.send(
            b"",
            method="PUT",
            target="/latest/api/token",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
        )
        headers = {} if token.status != 200 else {"X-aws-ec2-metadata-token": token.body.decode()}
        target = "/latest/dynamic/instance-identity/document"
        told = json.loads(exchange.send(b"", method="GET", target=target, headers=headers).body)
        return {
            "instance_id": str(told["instanceId"]),
            "availability_zone": str(told["availabilityZone"]),
            "instance_type": str(told["instanceType"]),
            "ami_id": str(told["imageId"]),
        }
    except (DeliveryError, ValueError, KeyError, TypeError):
        return {}
    finally:
        exchange.close()


def ecs() -> dict[str, Any]:
    """Return the container, which is what a host is called there."""
    return {"container": platform.node()}


def elastic_beanstalk() -> dict[str, Any]:
    """Return the environment, as Elastic Beanstalk wrote it down; empty elsewhere."""
    try:
        told = json.loads(_BEANSTALK.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


# By AWS's names: member of `aws`, origin, and what asks.
PLUGINS: Final[dict[str, tuple[str, str, Callable[[], dict[str, Any]]]]] = {
    "ec2plugin": ("ec2", "AWS::EC2::Instance", ec2),
    "ecsplugin": ("ecs", "AWS::ECS::Container", ecs),
    "elasticbeanstalkplugin": (
        "elastic_beanstalk",
        "AWS::ElasticBeanstalk::Environment",
        elastic_beanstalk,
    ),
}


def found_by(names: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """Return the origin and the members of `aws` that plugins find; the last origin counts.

    Raises:
        ConfigurationError: A plugin is not known.
    """
    origin, members = "", {}
    for name in names:
        known = PLUGINS.get(str(name).lower().replace("_", ""))
        if known is None:
            raise ConfigurationError(
                f"xray_recorder: plugin {name!r} is not known: EC2Plugin, ECSPlugin or "
                "ElasticBeanstalkPlugin"
            )
        member, its_origin, ask = known
        told = ask()
        if told:
            origin, members[member] = its_origin, told
    return origin, members
