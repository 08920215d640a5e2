"""Fields that CloudWatch finds in the lines of Lambda, VPC flow logs and Route 53.

    store -> [discovery] -> columns -> builder

Invariant: a line that has not exactly the shape of its kind has none of these fields.
"""

from typing import Final

# the last line of an invocation, parts between tabs: name, unit behind the number, memory or not
_REPORT: Final = {
    "@duration": ("Duration", "ms"),
    "@billedDuration": ("Billed Duration", "ms"),
    "@initDuration": ("Init Duration", "ms"),
    "@memorySize": ("Memory Size", "MB"),
    "@maxMemoryUsed": ("Max Memory Used", "MB"),
}
_TRACE: Final = {"@xrayTraceId": "XRAY TraceId", "@xraySegmentId": "SegmentId"}
_LAMBDA: Final = r"^(START|END|REPORT|INIT_START) "
_FLOW: Final = (
    "version",
    "accountId",
    "interfaceId",
    "srcAddr",
    "dstAddr",
    "srcPort",
    "dstPort",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "logStatus",
)
_FLOW_SHAPE: Final = (
    r"^[0-9]+ [0-9]{12} (eni-[0-9a-f]+) (\\S+ ){8}[0-9]+ (ACCEPT|REJECT|-) (OK|NODATA|SKIPDATA)$"
)
_ROUTE: Final = (
    "version",
    "queryTimestamp",
    "hostZoneId",
    "queryName",
    "queryType",
    "responseCode",
    "protocol",
    "edgeLocation",
    "resolverIp",
    "ednsClientSubnet",
)
_ROUTE_SHAPE: Final = (
    r"^1\\.[0-9] [0-9]{4}-[0-9]{2}-[0-9]{2}T\\S+Z Z\\S+ \\S+ [A-Z0-9]+ [A-Z]+ "
    r"(UDP|TCP) (\\S+) \\S+ \\S+$"
)
_REQUEST: Final = r"RequestId: ([0-9a-fA-F-]{36})"


def names() -> tuple[str, ...]:
    """Return every field that can be found."""
    return tuple(dict.fromkeys(("@type", "@requestId", *_REPORT, *_TRACE, *_FLOW, *_ROUTE)))


def field(name: str) -> str | None:
    """Return SQL for the stored form of a field found in the event's text, or None."""
    if name == "@type":
        return _present(f"extract(raw, '{_LAMBDA}')")
    if name == "@requestId":
        return f"if(match(raw, '{_LAMBDA}'), {_quoted(_extract(_REQUEST))}, NULL)"
    if name in _REPORT:
        return _reported(*_REPORT[name])
    if name in _TRACE:
        found_id = _quoted(_extract(f"{_TRACE[name]}: ([0-9a-f-]+)"))
        return f"if(startsWith(raw, 'REPORT '), {found_id}, NULL)"
    found = [
        _by_place(shape, names.index(name) + 1)
        for shape, names in ((_FLOW_SHAPE, _FLOW), (_ROUTE_SHAPE, _ROUTE))
        if name in names
    ]
    return f"coalesce({', '.join(found)})" if found else None


def _extract(pattern: str) -> str:
    return f"extract(raw, '{pattern}')"


def _present(text: str) -> str:
    return f"nullIf({text}, '')"


def _quoted(text: str) -> str:
    return f"if({text} = '', NULL, concat('\"', {text}, '\"'))"


def _reported(label: str, unit: str) -> str:
    number = _extract(f"\\t{label}: ([0-9.]+) {unit}")
    number = number if unit == "ms" else _bytes(number)
    return f"if(startsWith(raw, 'REPORT '), {_present(number)}, NULL)"


def _bytes(megabytes: str) -> str:
    """Return SQL for megabytes as bytes, written as CloudWatch does: 128 is 1.28E8."""
    digits = f"trimRight({megabytes}, '0')"
    rest = f"if(length({digits}) > 1, substring({digits}, 2), '0')"
    power = f"toString(length({megabytes}) + 5)"
    written = f"concat(substring({digits}, 1, 1), '.', {rest}, 'E', {power})"
    return f"if({megabytes} = '', '', {written})"


def _by_place(shape: str, place: int) -> str:
    value = f"splitByChar(' ', raw)[{place}]"
    stored = f"if({value} = '-', NULL, {_quoted(value)})"
    return f"if(match(raw, '{shape}'), {stored}, NULL)"
