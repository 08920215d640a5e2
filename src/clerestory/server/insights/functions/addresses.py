"""Functions of IP addresses.

    tree -> calls -> [functions] -> builder -> program

Invariant: what is no address is false or missing; the engine's throwing functions only ever see
addresses.
"""

import ipaddress
from typing import Final

from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Call, Literal
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql, once

_GROUP: Final = "IP addresses"
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_RESERVED: Final = (
    "0.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "2001:db8::/32",
    "fe80::/10",
    "ff00::/8",
)
_TESTS: Final = {
    4: "isIPv4String({0})",
    6: "isIPv6String({0})",
    0: "(isIPv4String({0}) OR isIPv6String({0}))",
}


def _valid(version: int) -> Build:
    def build(builder: Builder, _call: Call, text: str) -> Sql:
        held = builder.bind(f"ifNull({text}, '')")
        return Sql("bool", _TESTS[version].format(held))

    return build


def _in_any(held: str, version: int, networks: tuple[str, ...], *, but: bool = False) -> str:
    """Return SQL for whether a text is an address in one of the networks, or `but` in none."""
    is_address = _TESTS[version].format("r")
    # the engine throws on other texts, and only if() keeps it from looking at them
    safe = f"if({is_address}, r, '0.0.0.0')"
    listed = ", ".join(f"'{network}'" for network in networks)
    found = f"arrayExists(n -> isIPAddressInRange({safe}, n), [{listed}])"
    return once(held, f"({is_address} AND {'NOT ' * but}{found})")


def _subnet(version: int) -> Build:
    def build(builder: Builder, call: Call, text: str, subnet: Literal) -> Sql:
        network = _network(subnet, version)
        held = builder.bind(f"ifNull({text}, '')")
        del call
        return Sql("bool", _in_any(held, network.version, (str(network),)))

    return build


def _network(subnet: Literal, version: int) -> "ipaddress.IPv4Network | ipaddress.IPv6Network":
    try:
        network = ipaddress.ip_network(str(subnet.value), strict=False)
    except ValueError:
        message = f"`{str(subnet.value)[:40]}` is no subnet"
        raise wrong(message, subnet.at, "as in 10.0.0.0/8 or 2001:db8::/32") from None
    if version and network.version != version:
        raise wrong(f"`{network}` is no subnet of IPv{version}", subnet.at)
    return network


def _listed(networks: tuple[str, ...]) -> Build:
    def build(builder: Builder, _call: Call, text: str) -> Sql:
        held = builder.bind(f"ifNull({text}, '')")
        return Sql("bool", _in_any(held, 0, networks))

    return build


def _public(builder: Builder, _call: Call, text: str) -> Sql:
    held = builder.bind(f"ifNull({text}, '')")
    return Sql("bool", _in_any(held, 0, _PRIVATE + _RESERVED, but=True))


def _to_number(_builder: Builder, _call: Call, text: str) -> Sql:
    return Sql("number", f"toFloat64(IPv4StringToNumOrNull({text}))")


FUNCTIONS: Final = (
    Function(
        name="isValidIp",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the text is an address of IPv4 or IPv6.",
        example="isValidIp(srcAddr)",
        build=_valid(0),
    ),
    Function(
        name="isValidIpV4",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the text is an address of IPv4.",
        example="isValidIpV4(srcAddr)",
        build=_valid(4),
    ),
    Function(
        name="isValidIpV6",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the text is an address of IPv6.",
        example="isValidIpV6(srcAddr)",
        build=_valid(6),
    ),
    Function(
        name="isIpInSubnet",
        group=_GROUP,
        parameters=("text", "constant"),
        returns="bool",
        help="Whether the text is an address in the subnet, of IPv4 or IPv6.",
        example="isIpInSubnet(srcAddr, '10.0.0.0/8')",
        build=_subnet(0),
    ),
    Function(
        name="isIpv4InSubnet",
        group=_GROUP,
        parameters=("text", "constant"),
        returns="bool",
        help="Whether the text is an address in the subnet of IPv4.",
        example="isIpv4InSubnet(srcAddr, '10.0.0.0/8')",
        build=_subnet(4),
    ),
    Function(
        name="isIpv6InSubnet",
        group=_GROUP,
        parameters=("text", "constant"),
        returns="bool",
        help="Whether the text is an address in the subnet of IPv6.",
        example="isIpv6InSubnet(srcAddr, '2001:db8::/32')",
        build=_subnet(6),
    ),
    Function(
        name="ipv4ToNumber",
        group=_GROUP,
        parameters=("text",),
        returns="number",
        help="The address of IPv4 as a number.",
        example="ipv4ToNumber('10.0.0.1')",
        build=_to_number,
    ),
    Function(
        name="isPrivateIP",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the address is one of private networks (RFC 1918, RFC 4193).",
        example="isPrivateIP(srcAddr)",
        build=_listed(_PRIVATE),
    ),
    Function(
        name="isPublicIP",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the address is neither private nor reserved.",
        example="isPublicIP(srcAddr)",
        build=_public,
    ),
    Function(
        name="isReservedIP",
        group=_GROUP,
        parameters=("text",),
        returns="bool",
        help="Whether the address is reserved: loopback, link-local, documentation, multicast.",
        example="isReservedIP(srcAddr)",
        build=_listed(_RESERVED),
    ),
)
