"""ARNs of groups and sampling rules, and trace ids in X-Ray's form.

operations -> [names]
"""

import re
import secrets
from base64 import b32encode
from typing import Final

from clerestory.server.aws.names import ACCOUNT, REGION

_ARN: Final = re.compile(r"arn:aws[a-z-]*:xray:[a-z0-9-]*:\d{12}:(group|sampling-rule)/(.{1,70})")
_TRACE: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_HEX: Final = re.compile(r"[0-9a-f]{32}")


def group_arn(name: str, identity: str, region: str = REGION) -> str:
    """Return the ARN of a group.

    >>> group_arn("shop", "ABC")
    'arn:aws:xray:us-east-1:000000000000:group/shop/ABC'
    """
    return f"arn:aws:xray:{region}:{ACCOUNT}:group/{name}/{identity}"


def rule_arn(name: str, region: str = REGION) -> str:
    """Return the ARN of a sampling rule."""
    return f"arn:aws:xray:{region}:{ACCOUNT}:sampling-rule/{name}"


def new_identity() -> str:
    """Return what stands behind the name in the ARN of a new group."""
    return b32encode(secrets.token_bytes(20)).decode()


def named_by(arn: str) -> tuple[str, str]:
    """Return the kind and the name that an ARN holds; two empty texts if it is none of ours.

    >>> named_by("arn:aws:xray:eu-west-1:000000000000:group/shop/ABC")
    ('group', 'shop')
    """
    found = _ARN.fullmatch(arn)
    if not found:
        return "", ""
    name = found[2].rpartition("/")[0] if found[1] == "group" else found[2]
    return found[1], name


def hex_trace_id(text: str) -> str:
    """Return a trace id as it is stored: 32 hex digits, or the text itself.

    >>> hex_trace_id("1-5759e988-BD862e3fe1be46a994272793")
    '5759e988bd862e3fe1be46a994272793'
    """
    found = _TRACE.fullmatch(text)
    return (found[1] + found[2] if found else text).lower()


def shown_trace_id(known: str) -> str:
    """Return a stored trace id in X-Ray's form; what has not 32 hex digits stays as it is.

    >>> shown_trace_id("5759e988bd862e3fe1be46a994272793")
    '1-5759e988-bd862e3fe1be46a994272793'
    """
    return f"1-{known[:8]}-{known[8:]}" if _HEX.fullmatch(known) else known
