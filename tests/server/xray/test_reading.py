"""Traces out: summaries by filter expression, documents, graphs."""

import itertools
import json
import time

import pytest

from tests.server.traces.spans import MS, NOW_NS, body_of, span, trace_id
from tests.server.xray.segments import new_id, new_trace, part, put, segment

_numbers = itertools.count()


def hour():
    """The last hour, as StartTime and EndTime; the second that runs belongs to it."""
    now = int(time.time())
    return {"StartTime": now - 3600, "EndTime": now}


def found(xray, expression, **given):
    """Return the summaries of an expression, page by page."""
    pages = xray.get_paginator("get_trace_summaries").paginate(
        FilterExpression=expression, **hour(), **given
    )
    return [one for page in pages for one in page["TraceSummaries"]]


def ids(xray, expression):
    return {one["Id"] for one in found(xray, expression)}


@pytest.fixture(scope="module")
def shop(xray):
    """Four traces of one shop: good, faulty below, throttled, and one still running."""
    name = f"shop-{next(_numbers)}"
    traces = {kind: new_trace() for kind in ("good", "faulty", "throttled", "running")}
    request = {"method": "POST", "url": "http://shop/cart", "client_ip": "10.0.0.1"}
    common = {"origin": "AWS::EC2::Instance", "aws": {"ec2": {"instance_id": "i-7"}}}

    start = round(time.time() - 2, 3)
    call = part("api", namespace="remote", fault=True)
    exception = {"id": new_id(), "type": "OSError", "message": "gone"}
    query = part(
        "stock@db", namespace="remote", sql={"database_type": "PostgreSQL"}, fault=True,
        cause={"exceptions": [exception]},
    )  # fmt: skip
    put(
        xray,
        segment(
            traces["good"], name, start_time=start, end_time=start + 5, user="ann",
            annotations={"cart": 3, "new": True, "tier": "gold"},
            http={"request": request, "response": {"status": 200}}, **common,
        ),
        segment(
            traces["faulty"], name, user="bob", fault=True, subsegments=[call],
            http={"request": request, "response": {"status": 502}}, annotations={"cart": 30},
        ),
        segment(
            traces["faulty"], f"{name}-api", parent_id=call["id"], fault=True, subsegments=[query]
        ),
        segment(
            traces["throttled"], name, error=True, throttle=True,
            http={"request": request, "response": {"status": 429}},
        ),
    )  # fmt: skip
    running = segment(traces["running"], name, in_progress=True)
    del running["end_time"]
    put(xray, running)
    return {"name": name, "traces": traces}


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        ("", "good faulty throttled running"),
        ("ok", "good running"),
        ("ok !partial", "good"),
        ("fault", "faulty"),
        ("!fault", "good throttled running"),
        ("fault = false AND partial = false", "good throttled"),
        ("error", "throttled"),
        ("throttle OR partial", "throttled running"),
        ("responsetime > 3", "good"),
        ("responseTime >= 0.05 duration < 3", "faulty throttled"),
        ("http.status = 502", "faulty"),
        ("http.status != 502", "good throttled"),
        ("http.status < 500", "good throttled"),
        ('http.url CONTAINS "cart"', "good faulty throttled"),
        ('http.url CONTAINS ""', "good faulty throttled"),
        ('http.url BEGINSWITH "https"', ""),
        ('http.url ENDSWITH "/cart" AND http.method = "POST"', "good faulty throttled"),
        ('http.clientip = "10.0.0.1"', "good faulty throttled"),
        ('user = "ann"', "good"),
        ('user != "ann"', "faulty"),
        ('user CONTAINS ""', "good faulty"),
        ("annotation.cart", "good faulty"),
        ("annotation.cart > 5", "faulty"),
        ("annotation[cart] = 3", "good"),
        ('annotation.cart = "3"', ""),
        ("annotation.new = true", "good"),
        ("annotation.new = 1", ""),
        ('annotation.tier BEGINSWITH "go"', "good"),
        ("annotation.missing != 3", ""),
        ("!annotation.cart", "throttled running"),
        ('service("{name}")', "good faulty throttled running"),
        ('service("{name}-api")', "faulty"),
        ('service("{name}") {{ fault }}', "faulty"),
        ('service("{name}") {{ fault = false }}', "good throttled running"),
        ('!service("{name}") {{ fault }}', "good throttled running"),
        ('service("{name}") {{ root partial }}', "running"),
        ('service("stock@db")', "faulty"),
        ('service("stock@db") {{ inferred AND message = "gone" }}', "faulty"),
        ('service(id(name: "{name}", type: "AWS::EC2::Instance"))', "good"),
        ('service(id(type: "Database::SQL"))', "faulty"),
        ('service(id(name: "{name}", account.id: "111111111111"))', ""),
        ("service() {{ fault }}", "faulty"),
        ('edge("{name}", "{name}-api")', "faulty"),
        ('edge("{name}", "{name}-api") {{ fault }}', "faulty"),
        ('edge("{name}", "{name}-api") {{ ok }}', ""),
        ('edge("{name}-api", "stock@db")', "faulty"),
        ('edge("{name}-api", "{name}")', ""),
        ('instance.id = "i-7"', "good"),
        ('type = "AWS::EC2::Instance"', "good"),
        ('name = "{name}-api"', "faulty"),
        ('message CONTAINS "gone"', "faulty"),
        ('rootcause.fault.service {{ name = "{name}-api" }}', "faulty"),
        ('rootcause.fault.entity {{ name = "stock@db" AND last AND remote }}', "faulty"),
        ('rootcause.fault.exception {{ name = "OSError" }}', "faulty"),
        ('rootcause.fault.exception {{ name = "ValueError" }}', ""),
        ("rootcause.responsetime.entity {{ coverage > 0.9 AND index = 2 }}", "faulty"),
        (
            'rootcause.json = #[{{"Services":[{{"Name":"{name}"}},{{"Name":"{name}-api"}}]}}]',
            "faulty",
        ),
        ('(fault OR throttle) AND (annotation.cart OR user = "x")', "faulty"),
        ('service("{name}") {{ fault }} AND duration >= 0', "faulty"),
    ],
)
def test_an_expression_selects_the_traces_that_it_means(xray, shop, expression, kinds):
    """Each keyword, operator and block, beside traces that have what is asked for and others."""
    text = expression.replace("{name}", shop["name"]).replace("{{", "{").replace("}}", "}")
    traces = {trace: kind for kind, trace in shop["traces"].items()}
    mine = f'service("{shop["name"]}") AND ({text})' if text else f'service("{shop["name"]}")'

    assert sorted(traces[one] for one in ids(xray, mine)) == sorted(kinds.split())


def test_a_summary_tells_what_a_list_of_traces_needs(xray, shop):
    """Every member that AWS documents and that we know."""
    name = shop["name"]
    by_id = {one["Id"]: one for one in found(xray, f'service("{name}")')}
    good, faulty = (by_id[shop["traces"][kind]] for kind in ("good", "faulty"))

    assert good["Duration"] == good["ResponseTime"] == pytest.approx(5, abs=0.001)
    assert (good["HasFault"], faulty["HasFault"], good["HasThrottle"]) == (False, True, False)
    assert by_id[shop["traces"]["running"]]["IsPartial"]
    assert good["Http"] == {
        "HttpURL": "http://shop/cart",
        "HttpMethod": "POST",
        "HttpStatus": 200,
        "ClientIp": "10.0.0.1",
    }
    service = {
        "Name": name, "Names": [name], "AccountId": "000000000000", "Type": "AWS::EC2::Instance",
    }  # fmt: skip
    assert good["EntryPoint"] == service
    assert good["Annotations"]["cart"] == [
        {"AnnotationValue": {"NumberValue": 3.0}, "ServiceIds": [service]}
    ]
    assert good["Annotations"]["new"][0]["AnnotationValue"] == {"BooleanValue": True}
    assert good["Annotations"]["tier"][0]["AnnotationValue"] == {"StringValue": "gold"}
    assert good["Users"] == [{"UserName": "ann", "ServiceIds": [service]}]
    assert good["InstanceIds"] == [{"Id": "i-7"}]
    assert {one["Name"] for one in faulty["ServiceIds"]} == {name, f"{name}-api", "stock@db"}
    (cause,) = faulty["FaultRootCauses"]
    assert cause["ClientImpacting"]
    assert [one["Name"] for one in cause["Services"]] == [name, f"{name}-api"]
    assert cause["Services"][1]["EntityPath"][1]["Exceptions"] == [
        {"Name": "OSError", "Message": "gone"}
    ]


def test_an_expression_that_cannot_be_read_points_at_the_character(xray):
    """It never returns traces that do not match."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match=r"at character 12: .*foo"):
        found(xray, "duration>3 foo = 1")
    with pytest.raises(xray.exceptions.InvalidRequestException, match="no group"):
        found(xray, 'group.name = "no-such"')
    with pytest.raises(xray.exceptions.InvalidRequestException, match="before"):
        xray.get_trace_summaries(StartTime=10, EndTime=5)
    with pytest.raises(xray.exceptions.InvalidRequestException, match="FixedRate"):
        found(xray, "", SamplingStrategy={"Name": "FixedRate", "Value": 0.5})


def test_a_group_stands_for_its_expression(xray, shop, name):
    """In an expression, and as a selector of a graph."""
    xray.create_group(GroupName=name, FilterExpression=f'service("{shop["name"]}") {{ fault }}')

    assert ids(xray, f'group.name = "{name}"') == {shop["traces"]["faulty"]}
    graph = xray.get_service_graph(GroupName=name, **hour())

    xray.delete_group(GroupName=name)
    assert {one["Name"] for one in graph["Services"]} == {
        shop["name"], f"{shop['name']}-api", "stock@db",
    }  # fmt: skip


def test_pages_hold_every_trace_once(xray):
    """A hundred on a page, the newest first."""
    name = f"many-{next(_numbers)}"
    now = time.time()
    documents = [
        segment(new_trace(), name, start_time=now - number / 100, end_time=now)
        for number in range(150)
    ]
    put(xray, *documents)
    expression = f'service("{name}")'

    first = xray.get_trace_summaries(FilterExpression=expression, **hour())
    everything = found(xray, expression)

    assert len(first["TraceSummaries"]) == 100
    assert first["TracesProcessedCount"] == 100
    assert [one["Id"] for one in everything] == [one["trace_id"] for one in documents]


@pytest.mark.parametrize("by", ["TraceId", "Event", "Service"])
def test_the_time_is_of_the_trace_or_of_what_came(xray, by):
    """A trace of an hour ago that was sent now is found by its arrival, and by what it did."""
    name = f"late-{next(_numbers)}"
    trace, now = new_trace(), time.time()
    put(xray, segment(trace, name, start_time=now - 3000, end_time=now - 100))

    answer = xray.get_trace_summaries(
        StartTime=now - 200,
        EndTime=now + 2,
        TimeRangeType=by,
        FilterExpression=f'service("{name}")',
    )

    expected = [] if by == "TraceId" else [trace]
    assert [one["Id"] for one in answer["TraceSummaries"]] == expected


def test_documents_come_back_as_they_were_sent(xray):
    """Byte for byte, the last one of each id; what is not there is named."""
    trace, missing = new_trace(), new_trace()
    begun = segment(trace, in_progress=True, note="kept: é")
    del begun["end_time"]
    ended = json.dumps({**segment(trace, id=begun["id"]), "a": [1, None, {"b": 1e3}]}, indent=2)
    late = json.dumps(segment(trace, "late", type="subsegment", parent_id=begun["id"]))

    put(xray, begun)
    xray.put_trace_segments(TraceSegmentDocuments=[ended, late])
    answer = xray.batch_get_traces(TraceIds=[trace, missing])

    (told,) = answer["Traces"]
    assert told["Id"] == trace
    assert told["Duration"] >= 0.1
    assert sorted(one["Document"] for one in told["Segments"]) == sorted([ended, late])
    assert {one["Id"] for one in told["Segments"]} == {begun["id"], json.loads(late)["id"]}
    assert answer["UnprocessedTraceIds"] == [missing]


def test_spans_of_opentelemetry_come_out_as_documents(server, xray):
    """A program that sends OTLP is seen by a program that reads X-Ray."""
    trace = trace_id()
    shown = f"1-{trace[:8]}-{trace[8:]}"
    lines = [
        span(trace, 1, **{"span.kind": "server", "http.response.status_code": 503}),
        span(trace, 2, 1, message="work", **{"app.key": "x"}),
        span(trace, 3, 2, message="q", **{"span.kind": "client", "db.system": "mysql"}),
    ]
    server.send(body_of(lines).split(b"\n"), resource={"service.name": "otel-shop"})

    (told,) = xray.batch_get_traces(TraceIds=[shown])["Traces"]
    (summary,) = [one for one in found(xray, 'service("otel-shop")') if one["Id"] == shown]

    (document,) = [json.loads(one["Document"]) for one in told["Segments"]]
    assert (document["name"], document["fault"]) == ("otel-shop", True)
    assert document["trace_id"] == shown
    assert document["start_time"] == NOW_NS / 10**9
    assert document["end_time"] == (NOW_NS + 10 * MS) / 10**9
    assert document["metadata"]["default"]["otel.resource.service.name"] == "otel-shop"
    (work,) = document["subsegments"]
    assert work["metadata"]["default"] == {"app.key": "x"}
    assert work["subsegments"][0]["namespace"] == "remote"
    assert work["subsegments"][0]["sql"]["database_type"] == "mysql"
    assert summary["HasFault"]


def test_an_attribute_of_the_document_s_name_stays_an_attribute(server, xray):
    """Only what came as a segment has a document."""
    trace = trace_id()
    server.send([body_of([span(trace, 1, **{"span.raw": "mine"})])], resource={"service.name": "x"})

    (told,) = xray.batch_get_traces(TraceIds=[f"1-{trace[:8]}-{trace[8:]}"])["Traces"]
    (document,) = map(json.loads, _texts(told))
    (shown,) = server.get(f"/api/v1/traces/{trace}")["spans"]

    assert document["metadata"]["default"]["span.raw"] == "mine"
    assert shown["attrs"]["span.raw"] == "mine"


def test_services_of_opentelemetry_have_segments_and_edges_of_their_own(server, xray):
    """Whatever kind of span a service begins with."""
    trace = trace_id()
    shown = f"1-{trace[:8]}-{trace[8:]}"
    sent = [
        ("otel-a", span(trace, 1, **{"span.kind": "server"})),
        ("otel-a", span(trace, 2, 1, **{"span.kind": "client", "http.response.status_code": 429})),
        ("otel-b", span(trace, 3, 2, **{"span.kind": "server"})),
        ("otel-b", span(trace, 4, 3, message="send", **{"span.kind": "producer"})),
        ("otel-c", span(trace, 5, 4, message="take", **{"span.kind": "consumer"})),
        ("otel-d", span(trace, 6, 5, message="go")),
    ]
    for service, line in sent:
        server.send([body_of([line])], resource={"service.name": service})

    services = xray.get_trace_graph(TraceIds=[shown])["Services"]
    (told,) = xray.batch_get_traces(TraceIds=[shown])["Traces"]

    named = {one["ReferenceId"]: one for one in services}
    edges = {
        (one["Name"], named[edge["ReferenceId"]]["Name"]): edge["SummaryStatistics"]
        for one in services
        for edge in one["Edges"]
        if one.get("Type") != "client"
    }
    assert set(edges) == {("otel-a", "otel-b"), ("otel-b", "otel-c"), ("otel-c", "otel-d")}
    assert edges["otel-a", "otel-b"]["ErrorStatistics"]["ThrottleCount"] == 1
    documents = {one["name"]: one for one in map(json.loads, _texts(told))}
    assert set(documents) == {"otel-a", "otel-b", "otel-c", "otel-d"}
    assert documents["otel-c"]["parent_id"] == f"{4:016x}"
    assert ids(xray, 'edge("otel-b", "otel-c") AND service("otel-d") { ok }') == {shown}


def _texts(trace):
    return [one["Document"] for one in trace["Segments"]]


def test_at_most_five_traces_are_given_at_once(xray):
    """As on AWS, so that a program learns it here."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="At most 5"):
        xray.batch_get_traces(TraceIds=[new_trace() for _ in range(6)])


def test_a_graph_shows_services_calls_and_what_is_behind_them(xray, shop):
    """Nodes, edges, outcomes and times, of one trace."""
    name = shop["name"]
    services = xray.get_trace_graph(TraceIds=[shop["traces"]["faulty"]])["Services"]

    by_name = {(one["Name"], one.get("Type")): one for one in services}
    numbers = {one["ReferenceId"]: one["Name"] for one in services}
    shop_node, api = by_name[name, None], by_name[f"{name}-api", None]
    client, database = by_name[name, "client"], by_name["stock@db", "Database::SQL"]
    assert len(services) == 4
    assert shop_node["Root"]
    assert "Root" not in api
    assert [numbers[edge["ReferenceId"]] for edge in client["Edges"]] == [name]
    assert [numbers[edge["ReferenceId"]] for edge in shop_node["Edges"]] == [f"{name}-api"]
    assert [numbers[edge["ReferenceId"]] for edge in api["Edges"]] == ["stock@db"]
    statistics = api["SummaryStatistics"]
    assert statistics["FaultStatistics"] == {"OtherCount": 1, "TotalCount": 1}
    assert (statistics["TotalCount"], statistics["OkCount"]) == (1, 0)
    assert statistics["TotalResponseTime"] == pytest.approx(0.1, abs=1e-5)
    assert api["ResponseTimeHistogram"] == [{"Value": 0.1, "Count": 1}]
    assert database["SummaryStatistics"]["TotalCount"] == 1
    assert database["Edges"] == []


def test_the_graph_of_a_time_counts_all_its_traces(xray, shop):
    """Outcomes by the first of fault, throttle, error and ok; what runs is not counted."""
    services = xray.get_service_graph(**hour())["Services"]

    mine = [one for one in services if one["Name"] == shop["name"] and one.get("Type") != "client"]
    counts = [one["SummaryStatistics"] for one in mine]
    assert sum(one["TotalCount"] for one in counts) == 3
    assert sum(one["OkCount"] for one in counts) == 1
    assert sum(one["ErrorStatistics"]["ThrottleCount"] for one in counts) == 1
    assert sum(one["FaultStatistics"]["TotalCount"] for one in counts) == 1
