"""The sample queries of AWS and those of our predecessor, on data made by hand."""

import json
from typing import Any

import pytest

from clerestory.server.insights import Scope, run
from tests.server.insights.store import BASE_MS, Filled

MINUTE = 60_000


def _rows(filled: Filled, query: str) -> list[dict[str, str]]:
    connection = filled.querying()
    result = run(connection, query, start_ms=BASE_MS, end_ms=BASE_MS + 3 * 3_600_000, scope=Scope())
    connection.close()
    return [{k: v for k, v in row.items() if k != "@ptr"} for row in result.rows]


PREDECESSOR: list[dict[str, Any]] = [
    {"at": 0, "level": "ERROR", "message": "no card", "user_id": "user123", "error_code": "E1",
     "path": "/pay"},
    {"at": 1000, "level": "ERROR", "message": "no cash", "user_id": "user9", "path": "/pay"},
    {"at": 2000, "level": "INFO", "message": "paid", "user_id": "user123", "path": "/pay"},
    {"at": 3000, "level": "ERROR", "message": "lost", "user_id": "user123", "path": "/ship"},
    {"at": 4000, "funcName": "handle_request", "response_time_ms": 10},
    {"at": 5000, "funcName": "handle_request", "response_time_ms": 31},
    {"at": 6 * MINUTE, "funcName": "handle_request", "response_time_ms": 7.5},
    {"at": 6 * MINUTE, "funcName": "other", "response_time_ms": 900},
]  # fmt: skip

ERRORS_OF_A_USER = """
# Find errors by user
fields @timestamp, message, user_id, error_code
| filter level = "ERROR"
| filter user_id = "user123"
| sort @timestamp desc
"""
RESPONSE_TIMES = """
# Response time analysis
fields @timestamp, response_time_ms
| filter funcName = "handle_request"
| stats avg(response_time_ms), max(response_time_ms), min(response_time_ms) by bin(5m)
"""
ERRORS_BY_PATH = """
# Error rate by endpoint
fields @timestamp, path, level
| filter level = "ERROR"
| stats count() by path
"""


def _as_events(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return records as PutLogEvents would bring them: JSON texts."""
    events = []
    for record in records:
        rest = {name: value for name, value in record.items() if name != "at"}
        events.append((record["at"], json.dumps({"level": "INFO", **rest})))
    return events


@pytest.mark.parametrize("road", ["ours", "sent"])
def test_the_queries_of_the_predecessor_run_unchanged_but_for_the_comment_sign(
    filled: Filled, road: str
):
    """The same records through our own road and through PutLogEvents give the same rows."""
    filled.clear()
    if road == "ours":
        filled.own(PREDECESSOR)
    else:
        filled.sent(_as_events(PREDECESSOR))

    assert _rows(filled, ERRORS_OF_A_USER) == [
        {"@timestamp": "2023-11-14 22:13:23.000", "message": "lost", "user_id": "user123"},
        {
            "@timestamp": "2023-11-14 22:13:20.000",
            "message": "no card",
            "user_id": "user123",
            "error_code": "E1",
        },
    ]
    assert _rows(filled, RESPONSE_TIMES) == [
        {
            "bin(5m)": "2023-11-14 22:15:00.000",
            "avg(response_time_ms)": "7.5",
            "max(response_time_ms)": "7.5",
            "min(response_time_ms)": "7.5",
        },
        {
            "bin(5m)": "2023-11-14 22:10:00.000",
            "avg(response_time_ms)": "20.5",
            "max(response_time_ms)": "31",
            "min(response_time_ms)": "10",
        },
    ]
    assert _rows(filled, ERRORS_BY_PATH) == [
        {"path": "/pay", "count()": "2"},
        {"path": "/ship", "count()": "1"},
    ]


def _report(request: int, duration: float, memory: int, used: int) -> str:
    identity = f"0000000{request}-aaaa-bbbb-cccc-000000000000"
    return (
        f"REPORT RequestId: {identity}\tDuration: {duration} ms\tBilled Duration: "
        f"{round(duration)} ms\tMemory Size: {memory} MB\tMax Memory Used: {used} MB\t"
    )


LAMBDA = [
    (0, "START RequestId: 00000001-aaaa-bbbb-cccc-000000000000 Version: $LATEST"),
    (10, "doing things"),
    (20, _report(1, 1200.5, 512, 100)),
    (30, _report(2, 900.0, 512, 128)),
    (40, _report(3, 2000.0, 512, 64)),
    (50, _report(3, 2000.0, 512, 64)),
]


def test_the_samples_for_lambda(filled: Filled):
    """Overprovisioned memory, the latency report, and slow requests without duplicates."""
    filled.clear()
    filled.sent(LAMBDA, group="/aws/lambda/fn")

    assert _rows(
        filled,
        """filter @type = "REPORT"
        | stats max(@memorySize / 1000 / 1000) as provisonedMemoryMB,
            min(@maxMemoryUsed / 1000 / 1000) as smallestMemoryRequestMB,
            avg(@maxMemoryUsed / 1000 / 1000) as avgMemoryUsedMB,
            max(@maxMemoryUsed / 1000 / 1000) as maxMemoryUsedMB,
            provisonedMemoryMB - maxMemoryUsedMB as overProvisionedMB""",
    ) == [
        {
            "provisonedMemoryMB": "512",
            "smallestMemoryRequestMB": "64",
            "avgMemoryUsedMB": "89",
            "maxMemoryUsedMB": "128",
            "overProvisionedMB": "384",
        }
    ]
    assert _rows(
        filled,
        """filter @type = "REPORT"
        | stats avg(@duration), max(@duration), min(@duration) by bin(5m)""",
    ) == [
        {
            "bin(5m)": "2023-11-14 22:10:00.000",
            "avg(@duration)": "1525.125",
            "max(@duration)": "2000",
            "min(@duration)": "900",
        }
    ]
    assert _rows(
        filled,
        """fields @timestamp, @requestId, @message, @logStream
        | filter @type = "REPORT" and @duration > 1000
        | sort @timestamp desc
        | dedup @requestId
        | limit 20""",
    ) == [
        {
            "@timestamp": f"2023-11-14 22:13:20.0{at}",
            "@requestId": f"0000000{request}-aaaa-bbbb-cccc-000000000000",
            "@message": next(text for time, text in LAMBDA if time == at),
            "@logStream": "s-1",
        }
        for at, request in ((50, 3), (20, 1))
    ]
    assert _rows(filled, 'filter @type = "REPORT" | display @maxMemoryUsed | limit 1') == [
        {"@maxMemoryUsed": "6.4E7"}
    ]


def _flow(source: str, target: str, port: int, bytes_: str, status: str = "OK") -> str:
    counted = f"{port} 6 3 {bytes_}" if status == "OK" else "- - - -"
    addresses = f"{source} {target} 40000" if status == "OK" else "- - -"
    action = "ACCEPT" if port != 22 else "REJECT"
    if status != "OK":
        action = "-"
    return f"2 123456789012 eni-0a1 {addresses} {counted} 1700000000 1700000060 {action} {status}"


FLOW = [
    (0, _flow("10.0.0.1", "10.0.1.9", 443, "100")),
    (1, _flow("10.0.0.1", "10.0.1.9", 22, "50")),
    (2, _flow("10.0.0.2", "10.0.1.9", 443, "900")),
    (3, _flow("10.9.0.2", "10.0.1.9", 22, "10")),
    (4, _flow("", "", 0, "", "SKIPDATA")),
]


def test_the_samples_for_vpc_flow_logs(filled: Filled):
    """Top talkers by bytes, addresses in a subnet, refused packets, skipped windows."""
    filled.clear()
    filled.sent(FLOW, group="vpc")

    assert _rows(
        filled,
        """stats sum(bytes) as bytesTransferred by srcAddr, dstAddr
        | filter ispresent(srcAddr)
        | sort bytesTransferred desc
        | limit 2""",
    ) == [
        {"srcAddr": "10.0.0.2", "dstAddr": "10.0.1.9", "bytesTransferred": "900"},
        {"srcAddr": "10.0.0.1", "dstAddr": "10.0.1.9", "bytesTransferred": "150"},
    ]
    assert _rows(
        filled,
        """filter isIpv4InSubnet(srcAddr, "10.0.0.0/24") and action = "REJECT"
        | display srcAddr, dstPort""",
    ) == [{"srcAddr": "10.0.0.1", "dstPort": "22"}]
    assert _rows(
        filled,
        'filter logStatus = "SKIPDATA" | stats count(*) by bin(1h) as t | sort t',
    ) == [{"t": "2023-11-14 22:00:00.000", "count(*)": "1"}]
    assert _rows(filled, "fields protocol | stats count(*) by protocol | limit 1") == [
        {"protocol": "6", "count(*)": "4"}
    ]


TRAIL: list[dict[str, Any]] = [
    {"eventName": "StopInstances", "eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1",
     "userIdentity": {"userName": "ann"},
     "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-1"}]}}},
    {"eventName": "CreateUser", "eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1",
     "requestParameters": {"userName": "bob"}, "responseElements": {"user": {"arn": "arn:1"}}},
    {"eventName": "PutObject", "eventSource": "s3.amazonaws.com", "awsRegion": "eu-west-1",
     "errorCode": "AccessDenied", "errorMessage": "no"},
    {"eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1"},
]  # fmt: skip


def test_the_samples_for_cloudtrail(filled: Filled):
    """Nested members, lists of values, and what is there at all."""
    filled.clear()
    filled.sent(((index, json.dumps(record)) for index, record in enumerate(TRAIL)), group="trail")

    assert _rows(
        filled,
        "stats count(*) by eventSource, eventName, awsRegion | sort eventName | limit 1",
    ) == [
        {
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateUser",
            "awsRegion": "us-east-1",
            "count(*)": "1",
        }
    ]
    assert _rows(
        filled,
        """filter (eventName in ["StartInstances", "StopInstances"]) and awsRegion = "us-east-1"
        | display userIdentity.userName, requestParameters.instancesSet.items.0.instanceId""",
    ) == [
        {
            "userIdentity.userName": "ann",
            "requestParameters.instancesSet.items.0.instanceId": "i-1",
        }
    ]
    assert _rows(
        filled,
        """filter eventName = "CreateUser"
        | fields awsRegion, requestParameters.userName, responseElements.user.arn""",
    ) == [
        {
            "awsRegion": "us-east-1",
            "requestParameters.userName": "bob",
            "responseElements.user.arn": "arn:1",
        }
    ]
    assert _rows(
        filled,
        "filter ispresent(errorCode) | stats count(*) by eventSource, errorCode, errorMessage",
    ) == [
        {
            "eventSource": "s3.amazonaws.com",
            "errorCode": "AccessDenied",
            "errorMessage": "no",
            "count(*)": "1",
        }
    ]


ROUTE = "1.0 2023-11-14T22:13:20Z Z1AB {} {} {} UDP FRA50-C1 192.0.2.{} -"


def test_the_samples_for_route_53_and_the_common_ones(filled: Filled):
    """Counts per type and hour, the newest events, exceptions per hour, glob and regex parse."""
    filled.clear()
    filled.sent(
        [
            (0, ROUTE.format("example.com", "A", "NOERROR", 1)),
            (1, ROUTE.format("example.com", "AAAA", "NOERROR", 2)),
            (2, ROUTE.format("nope.example.com", "A", "NXDOMAIN", 1)),
        ],
        group="route53",
    )
    filled.sent(
        [
            (10, "Exception: user=ann, method:get, latency := 12"),
            (11, "user=bob, method:put, latency := 8"),
            (2 * 3_600_000, "java.lang.Exception"),
        ],
        group="app",
    )

    assert _rows(filled, "stats count(*) by queryType | filter ispresent(queryType)") == [
        {"queryType": "A", "count(*)": "2"},
        {"queryType": "AAAA", "count(*)": "1"},
    ]
    assert _rows(
        filled,
        """filter responseCode != "NOERROR" | stats count(*) as n by resolverIp, queryName""",
    ) == [{"resolverIp": "192.0.2.1", "queryName": "nope.example.com", "n": "1"}]
    assert _rows(filled, "fields @timestamp, @message | sort @timestamp desc | limit 1") == [
        {"@timestamp": "2023-11-15 00:13:20.000", "@message": "java.lang.Exception"}
    ]
    assert _rows(
        filled,
        """filter @message like /Exception/
        | stats count(*) as exceptionCount by bin(1h)
        | sort exceptionCount desc""",
    ) == [
        {"bin(1h)": "2023-11-15 00:00:00.000", "exceptionCount": "1"},
        {"bin(1h)": "2023-11-14 22:00:00.000", "exceptionCount": "1"},
    ]
    assert _rows(
        filled, "fields @message | filter @message not like /Exception/ | stats count()"
    ) == [{"count()": "4"}]
    by_glob = """parse @message "user=*, method:*, latency := *" as @user, @method, @latency
        | filter ispresent(@user) | stats avg(@latency) by @method, @user"""
    by_regex = r"""
        parse @message /user=(?<user2>.*?), method:(?<method2>.*?), latency := (?<latency2>\d+)/
        | filter ispresent(user2) | stats avg(latency2) by method2, user2"""
    assert _rows(filled, by_glob) == [
        {"@method": "get", "@user": "ann", "avg(@latency)": "12"},
        {"@method": "put", "@user": "bob", "avg(@latency)": "8"},
    ]
    assert [list(row.values()) for row in _rows(filled, by_regex)] == [
        ["get", "ann", "12"],
        ["put", "bob", "8"],
    ]
