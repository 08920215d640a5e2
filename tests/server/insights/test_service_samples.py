"""More samples of AWS's documentation, one service at a time, with values worked out by hand."""

import json
from typing import Any

import pytest

from clerestory.server.insights import Scope, run
from tests.server.insights.store import BASE_MS, Filled

Rows = list[dict[str, str]]
Case = tuple[str, Rows]
HOUR = 3_600_000


def _check(filled: Filled, cases: list[Case]) -> None:
    connection = filled.querying()
    found = []
    for query, _rows in cases:
        result = run(connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 3 * HOUR, scope=Scope())
        found.append([{k: v for k, v in row.items() if k != "@ptr"} for row in result.rows])
    connection.close()
    for (query, rows), one in zip(cases, found, strict=True):
        assert one == rows, query


def _json(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return records as events, a second apart."""
    return [(index * 1000, json.dumps(record)) for index, record in enumerate(records)]


def _at(second: int) -> str:
    return f"2023-11-14 22:13:{20 + second}.000"


SERVERS = [
    {"server": "a", "severity": "INFO", "message": "one"},
    {"server": "b", "severity": "WARN", "message": "two"},
    {"server": "a", "severity": "WARN", "message": "three"},
    {"server": "a", "severity": "INFO", "message": "four"},
    {"severity": "INFO", "message": "nobody"},
]


def test_the_general_samples(filled: Filled):
    """`dedup` keeps the first in the order of the sort, and every row without the field."""
    filled.clear()
    filled.sent(_json(SERVERS))

    def row(index: int) -> dict[str, str]:
        return {"@timestamp": _at(index), **SERVERS[index]}

    _check(
        filled,
        [
            (
                "fields @timestamp, message | sort @timestamp desc | limit 25",
                [{"@timestamp": _at(n), "message": SERVERS[n]["message"]} for n in (4, 3, 2, 1, 0)],
            ),
            (
                """fields @timestamp, server, severity, message
                | sort @timestamp asc
                | dedup server""",
                [row(0), row(1), row(4)],
            ),
            (
                """fields @timestamp, server, severity, message
                | sort @timestamp desc
                | dedup server, severity""",
                [row(4), row(3), row(2), row(1)],
            ),
        ],
    )


# source, target, ports, protocol, packets, bytes, status
_FLOWS = [
    ("192.0.2.7", "10.0.0.1", "40000 443 6", 10, 1000),
    ("192.0.2.7", "10.0.0.2", "40000 443 6", 30, 500),
    ("192.0.3.7", "10.0.0.2", "40000 443 6", 99, 9000),
    ("192.0.2.9", "10.0.0.1", "40000 53 17", 1, 60),
    ("192.0.2.7", "10.0.0.1", "40000 443 6", 5, 100),
]


def _flow(source: str, target: str, ports: str, packets: int, size: int) -> str:
    numbers = f"{ports} {packets} {size} 1700000000 1700000060"
    return f"2 123456789012 eni-0a1b {source} {target} {numbers} ACCEPT OK"


def test_the_samples_for_vpc_flow_logs_and_nat_gateways(filled: Filled):
    """Transfers by packets and by bytes, in a subnet, by protocol, one record a connection."""
    filled.clear()
    filled.sent([(n * 1000, _flow(*one)) for n, one in enumerate(_FLOWS)], stream="vpc-flow-logs")

    _check(
        filled,
        [
            (
                """stats sum(packets) as packetsTransferred by srcAddr, dstAddr
                | sort packetsTransferred desc
                | limit 2""",
                [
                    {"srcAddr": "192.0.3.7", "dstAddr": "10.0.0.2", "packetsTransferred": "99"},
                    {"srcAddr": "192.0.2.7", "dstAddr": "10.0.0.2", "packetsTransferred": "30"},
                ],
            ),
            (
                """filter isIpv4InSubnet(srcAddr, "192.0.2.0/24")
                | stats sum(bytes) as bytesTransferred by dstAddr
                | sort bytesTransferred desc
                | limit 15""",
                [
                    {"dstAddr": "10.0.0.1", "bytesTransferred": "1160"},
                    {"dstAddr": "10.0.0.2", "bytesTransferred": "500"},
                ],
            ),
            (
                "filter protocol=17 | stats count(*) by srcAddr",
                [{"srcAddr": "192.0.2.9", "count(*)": "1"}],
            ),
            (
                """fields @timestamp, srcAddr, dstAddr, srcPort, dstPort, protocol, bytes
                | filter @logStream = 'vpc-flow-logs' and interfaceId = 'eni-0a1b'
                | sort @timestamp desc
                | dedup srcAddr, dstAddr, srcPort, dstPort, protocol
                | limit 2""",
                [
                    {"@timestamp": _at(4), "srcAddr": "192.0.2.7", "dstAddr": "10.0.0.1",
                     "srcPort": "40000", "dstPort": "443", "protocol": "6", "bytes": "100"},
                    {"@timestamp": _at(3), "srcAddr": "192.0.2.9", "dstAddr": "10.0.0.1",
                     "srcPort": "40000", "dstPort": "53", "protocol": "17", "bytes": "60"},
                ],
            ),
            (
                """filter (dstAddr like '10.0.0.1' and srcAddr like '192.0.')
                | stats sum(bytes) as bytesTransferred by srcAddr, dstAddr
                | sort bytesTransferred desc
                | limit 10""",
                [
                    {"srcAddr": "192.0.2.7", "dstAddr": "10.0.0.1", "bytesTransferred": "1100"},
                    {"srcAddr": "192.0.2.9", "dstAddr": "10.0.0.1", "bytesTransferred": "60"},
                ],
            ),
        ],
    )  # fmt: skip


def test_the_samples_for_route_53(filled: Filled):
    """Types an hour, the busiest resolvers, names whose server failed."""
    line = "1.0 2023-11-14T22:13:20Z Z1AB {} {} {} UDP FRA50-C1 192.0.2.{} -"
    filled.clear()
    filled.sent(
        [
            (0, line.format("a.example", "A", "NOERROR", 1)),
            (1, line.format("a.example", "A", "SERVFAIL", 2)),
            (2, line.format("b.example", "AAAA", "SERVFAIL", 2)),
            (HOUR, line.format("a.example", "A", "SERVFAIL", 2)),
        ]
    )

    _check(
        filled,
        [
            (
                "stats count(*) by queryType, bin(1h)",
                [
                    {"queryType": "A", "bin(1h)": "2023-11-14 23:00:00.000", "count(*)": "1"},
                    {"queryType": "A", "bin(1h)": "2023-11-14 22:00:00.000", "count(*)": "2"},
                    {"queryType": "AAAA", "bin(1h)": "2023-11-14 22:00:00.000", "count(*)": "1"},
                ],
            ),
            (
                "stats count(*) as numRequests by resolverIp | sort numRequests desc | limit 10",
                [
                    {"resolverIp": "192.0.2.2", "numRequests": "3"},
                    {"resolverIp": "192.0.2.1", "numRequests": "1"},
                ],
            ),
            (
                'filter responseCode="SERVFAIL" | stats count(*) by queryName',
                [
                    {"queryName": "a.example", "count(*)": "2"},
                    {"queryName": "b.example", "count(*)": "1"},
                ],
            ),
        ],
    )


_TRAIL: list[dict[str, Any]] = [
    {"eventName": "StartInstances", "awsRegion": "us-east-2", "eventSource": "ec2",
     "tlsDetails": {"tlsVersion": "TLSv1.3"},
     "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-1"}, {"x": 1}]}}},
    {"eventName": "StopInstances", "awsRegion": "us-east-1", "eventSource": "ec2",
     "tlsDetails": {"tlsVersion": "TLSv1.1"}},
    {"eventName": "UpdateTrail", "errorCode": "AccessDenied", "errorMessage": "no",
     "eventSource": "cloudtrail", "tlsDetails": {"tlsVersion": "TLSv1"}},
    {"eventName": "UpdateTrail", "eventSource": "cloudtrail"},
    {"eventName": "CreateUser", "awsRegion": "us-east-1", "eventSource": "iam",
     "requestParameters": {"userName": "bob"}, "responseElements": {"user": {"arn": "arn:1"}},
     "tlsDetails": {"tlsVersion": "TLSv1.1"}},
]  # fmt: skip


def test_the_samples_for_cloudtrail(filled: Filled):
    """Hosts that were started or stopped, failed changes of a trail, outdated TLS, new users."""
    filled.clear()
    filled.sent(_json(_TRAIL))

    _check(
        filled,
        [
            (
                """filter (eventName="StartInstances" or eventName="StopInstances")
                and awsRegion="us-east-2" | display eventName""",
                [{"eventName": "StartInstances"}],
            ),
            (
                """filter eventName="UpdateTrail" and ispresent(errorCode)
                | stats count(*) by errorCode, errorMessage""",
                [{"errorCode": "AccessDenied", "errorMessage": "no", "count(*)": "1"}],
            ),
            (
                """filter tlsDetails.tlsVersion in [ "TLSv1", "TLSv1.1" ]
                | stats count(*) as numOutdatedTlsCalls by eventSource, tlsDetails.tlsVersion
                | sort eventSource""",
                [
                    {"eventSource": "cloudtrail", "tlsDetails.tlsVersion": "TLSv1",
                     "numOutdatedTlsCalls": "1"},
                    {"eventSource": "ec2", "tlsDetails.tlsVersion": "TLSv1.1",
                     "numOutdatedTlsCalls": "1"},
                    {"eventSource": "iam", "tlsDetails.tlsVersion": "TLSv1.1",
                     "numOutdatedTlsCalls": "1"},
                ],
            ),
            (
                """filter eventName="CreateUser"
                | fields awsRegion, requestParameters.userName, responseElements.user.arn""",
                [{"awsRegion": "us-east-1", "requestParameters.userName": "bob",
                  "responseElements.user.arn": "arn:1"}],
            ),
            (
                "stats count(*) by eventSource, eventName, awsRegion | sort eventName | limit 1",
                [{"eventSource": "iam", "eventName": "CreateUser", "awsRegion": "us-east-1",
                  "count(*)": "1"}],
            ),
        ],
    )  # fmt: skip


_CALLS = [
    {"status": 200, "ip": "1.1.1.1", "path": "/a", "responseLatency": 40, "integrationLatency": 30},
    {"status": 404, "ip": "1.1.1.2", "path": "/b", "responseLatency": 5},
    {"status": 200, "ip": "1.1.1.1", "path": "/a", "responseLatency": 90, "integrationLatency": 80},
    {"status": 500, "ip": "1.1.1.1", "path": "/a", "responseLatency": 70},
]


def test_the_samples_for_api_gateway(filled: Filled):
    """The last refused calls, the slowest, the most popular paths, latency a minute."""
    filled.clear()
    filled.sent(_json(_CALLS))

    _check(
        filled,
        [
            (
                """fields status, ip, path | filter status>=400 and status<=499
                | sort @timestamp desc | limit 10""",
                [{"status": "404", "ip": "1.1.1.2", "path": "/b"}],
            ),
            (
                "fields path, responseLatency | sort responseLatency desc | limit 2",
                [
                    {"path": "/a", "responseLatency": "90"},
                    {"path": "/a", "responseLatency": "70"},
                ],
            ),
            (
                "stats count(*) as requestCount by path | sort requestCount desc | limit 10",
                [{"path": "/a", "requestCount": "3"}, {"path": "/b", "requestCount": "1"}],
            ),
            (
                """filter status=200
                | stats avg(integrationLatency), max(integrationLatency),
                  min(integrationLatency) by bin(1m)""",
                [
                    {
                        "bin(1m)": "2023-11-14 22:13:00.000",
                        "avg(integrationLatency)": "55",
                        "max(integrationLatency)": "80",
                        "min(integrationLatency)": "30",
                    }
                ],
            ),
            (
                """stats count(*) as requests, sum(status >= 500) as errors,
                  errors / requests * 100 as rate, pct(responseLatency, 50) as p50 by bin(5m) as t
                | sort t""",
                [
                    {"t": "2023-11-14 22:10:00.000", "requests": "4", "errors": "1", "rate": "25",
                     "p50": "55"},
                ],
            ),
        ],
    )  # fmt: skip


_LAMBDA = [
    "START RequestId: 00000001-aaaa-bbbb-cccc-000000000000 Version: $LATEST",
    (
        "REPORT RequestId: 00000001-aaaa-bbbb-cccc-000000000000\tDuration: 3000.00 ms\t"
        "Billed Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t"
        "Init Duration: 250.50 ms\t"
    ),
    "2023-11-14T22:13:20Z 00000001-aaaa-bbbb-cccc-000000000000 Task timed out after 3.00 seconds",
    (
        "REPORT RequestId: 00000002-aaaa-bbbb-cccc-000000000000\tDuration: 10.00 ms\t"
        "Billed Duration: 10 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t"
    ),
    "[ERROR] KeyError: 'x'",
]


def test_the_samples_for_lambda_that_people_keep(filled: Filled):
    """Cold starts, timeouts, the share of memory, costs, errors by their class."""
    filled.clear()
    filled.sent([(index * 1000, text) for index, text in enumerate(_LAMBDA)])

    _check(
        filled,
        [
            (
                """filter @type = "REPORT"
                | stats count(@initDuration) as coldStarts, count(*) as calls,
                  coldStarts / calls * 100 as share, max(@initDuration) as slowest""",
                [{"coldStarts": "1", "calls": "2", "share": "50", "slowest": "250.5"}],
            ),
            (
                "filter @message like /Task timed out/ | stats count() by bin(30m)",
                [{"bin(30m)": "2023-11-14 22:00:00.000", "count()": "1"}],
            ),
            (
                """filter @type = "REPORT" | fields @requestId, @billedDuration,
                  @maxMemoryUsed / @memorySize * 100 as percent | sort by percent desc | limit 1
                | display percent, @billedDuration""",
                [{"percent": "100", "@billedDuration": "3000"}],
            ),
            (
                (
                    'filter @type = "REPORT" and @maxMemoryUsed = @memorySize '
                    "| stats count_distinct(@requestId) by bin(30m)"
                ),
                [{"bin(30m)": "2023-11-14 22:00:00.000", "count_distinct(@requestId)": "1"}],
            ),
            (
                """parse @message "[*] *: *" as loggingType, kind, detail
                | filter loggingType = "ERROR"
                | display kind, detail""",
                [{"kind": "KeyError", "detail": "'x'"}],
            ),
        ],
    )


@pytest.mark.parametrize(
    ("query", "row"),
    [
        (
            "fields requestParameters.instancesSet.items.0.instanceId as id",
            {"id": "i-1"},
        ),
        ("""fields concat('"', "'") as quotes""", {"quotes": "\"'"}),
        ("fields eventName = 'StartInstances' as a, eventName like \"Start\" as b",
         {"a": "true", "b": "true"}),
        ("fields substr(eventName, 0, 5) as a, strlen(trim(awsRegion)) as b",
         {"a": "Start", "b": "9"}),
        ("fields `eventName` as name", {"name": "StartInstances"}),
        ("fields 1 + 2 * 3 as a, (1 + 2) * 3 as b", {"a": "7", "b": "9"}),
        ("FIELDS eventName AS Name | FILTER Name LIKE /(?i)^start/ | DISPLAY Name",
         {"Name": "StartInstances"}),
        ("fields not ispresent(errorCode) and not eventName = 'x' as ok", {"ok": "true"}),
    ],
)  # fmt: skip
def test_the_small_forms_of_the_grammar(filled: Filled, query: str, row: dict[str, str]):
    """Places in lists, both quotes, arguments that are calls, backticks, precedence, case."""
    filled.clear()
    filled.sent(_json(_TRAIL[:1]))

    _check(filled, [(query, [row])])
