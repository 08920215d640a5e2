"""The query page's API, asked over HTTP of a real server; the language has its own tests."""

import csv
import io
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]

from tests.support.server import ServerProcess

API = "/api/v1/insights"
AWS = {"Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture
def shop(server, service):
    """The group of eight records of a shop, two a second, one of them without a latency."""
    now = time.time_ns() // 10**9 * 10**9 - 600 * 10**9
    levels = ["INFO", "ERROR"]
    lines = [
        {
            "timestamp": now + number // 2 * 10**9,
            "level": levels[number % 2],
            "logger": "shop",
            "message": f"order {number}",
            "path": ["/a", "/b"][number % 2],
            **({"latency": number / 2} if number else {}),
            "user": {"id": number},
        }
        for number in range(8)
    ]
    server.send(lines, resource={"service.name": service})
    return f"/clerestory/{service}"


def post(server, path, body):
    status, content, headers = server.call("POST", API + path, json.dumps(body).encode())
    return status, content, headers


def ask(server, query, *groups, **given):
    body = {"query": query, "groups": list(groups), "from": "now-1h", "to": "now", **given}
    status, content, headers = post(server, "", body)
    assert status == 200, content
    assert headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in content.splitlines()]
    assert all(list(line) == ["progress"] for line in lines[:-1])
    return lines[-1]


def test_rows_come_with_types_and_the_ids_of_their_records(server, shop):
    """The page sorts, draws and opens records by these."""
    query = (
        'filter level = "ERROR" | fields @timestamp, path, latency, user | sort latency | limit 2'
    )

    result = ask(server, query, shop)["result"]

    assert result["columns"] == [
        {"name": "@timestamp", "type": "time"},
        {"name": "path", "type": "text"},
        {"name": "latency", "type": "number"},
        {"name": "user", "type": "text"},
    ]
    assert [row[1:] for row in result["rows"]] == [
        ["/b", 0.5, '{"id":1}'],
        ["/b", 1.5, '{"id":3}'],
    ]
    assert [
        server.get(f"/api/v1/logs/{one}")["record"]["message"] for one in result["record_ids"]
    ] == ["order 1", "order 3"]
    assert result["statistics"]["records_matched"] == 4
    assert result["statistics"]["records_scanned"] == 8
    assert result["statistics"]["bytes_scanned"] > 0
    assert result["limited"] is False


def test_a_missing_value_is_null_and_an_aggregate_has_no_record(server, shop):
    """Zero would be another value."""
    result = ask(server, "stats count(*) as n, max(latency), max(nope) by path", shop)["result"]

    assert result["rows"] == [["/a", 4, 3, None], ["/b", 4, 3.5, None]]
    assert result["record_ids"] == [None, None]


def test_a_result_without_rows_still_tells_its_columns(server, shop):
    """An empty table has its heads, and an empty file its columns."""
    query = "filter nope = 1 | stats count(*) as n, max(latency) as m by bin(5m) as t"

    result = ask(server, query, shop)["result"]
    file = post(server, "/export?format=parquet", {"query": query, "groups": [shop]})[1]

    assert result["rows"] == []
    assert result["columns"] == [
        {"name": "t", "type": "time"},
        {"name": "n", "type": "number"},
        {"name": "m", "type": "text"},
    ]
    assert parquet.read_table(io.BytesIO(file)).column_names == ["t", "n", "m"]


def test_the_limit_says_whether_it_cut_rows(server, shop):
    """Eight of eight rows are all; seven of eight are not."""
    cut = ask(server, "fields @timestamp", shop, limit=7)["result"]
    whole = ask(server, "fields @timestamp", shop, limit=8)["result"]

    assert (len(cut["rows"]), cut["limit"], cut["limited"]) == (7, 7, True)
    assert (len(whole["rows"]), whole["limit"], whole["limited"]) == (8, 8, False)
    assert cut["statistics"]["records_matched"] == 8


def test_no_group_means_all_and_the_query_may_name_its_own(server, shop):
    """The page starts with all."""
    service = shop.removeprefix("/clerestory/")
    everything = f'filter service = "{service}" | stats count(*) as n by @log'
    named = f'SOURCE "{shop}" | stats count(*) as n by @log'

    assert ask(server, everything)["result"]["rows"] == [[f"000000000000:{shop}", 8]]
    assert ask(server, named)["result"]["rows"] == [[f"000000000000:{shop}", 8]]


def test_a_group_that_does_not_exist_is_named_with_the_one_that_was_meant(server, shop):
    """No rows would look like a quiet night."""
    service = shop.removeprefix("/clerestory/")

    status, content, _ = post(server, "", {"query": "limit 1", "groups": [service]})

    assert status == 404
    assert json.loads(content)["error"]["message"] == (
        f"there is no log group '{service}'; did you mean {shop}?"
    )


def test_a_source_that_does_not_exist_is_an_error_at_its_place(server):
    """The check underlines it as the run does."""
    query = 'SOURCE "nosuch" | limit 1'

    status, content, _ = post(server, "", {"query": query})
    checked = json.loads(post(server, "/check", {"query": query})[1])

    (place,) = json.loads(content)["errors"]
    assert status == 400
    assert query[place["start"] : place["end"]] == 'SOURCE "nosuch"'
    assert "'nosuch' does not exist" in place["message"]
    assert checked["errors"] == [place]


@pytest.mark.parametrize("path", ["", "/export?format=csv"])
def test_a_text_that_is_no_query_is_refused_with_its_place(server, path):
    """The editor underlines it and offers the word that was meant."""
    query = "fields a | filtr b = 1"

    status, content, _ = post(server, path, {"query": query})

    told = json.loads(content)
    assert status == 400
    assert told["error"]["code"] == "bad_query"
    (place,) = told["errors"]
    assert query[place["start"] : place["end"]] == "filtr"
    assert place["message"] == "there is no command `filtr`"
    assert place["suggestion"] == "did you mean `filter`?"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"query": "limit 1", "from": "soon"}, 400, "bad_time"),
        ({"query": "limit 1", "limit": 0}, 400, "bad_body"),
        ({"query": "limit 1", "groups": "shop"}, 400, "bad_body"),
        ({}, 400, "bad_body"),
        ({"query": "x" * 1_000_001}, 413, "body_too_large"),
    ],
)
def test_a_body_that_is_wrong_is_refused(server, body, status, code):
    """Each error has the shape of all routes."""
    got, content, _ = post(server, "", body)

    assert (got, json.loads(content)["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("query", "commands", "chart"),
    [
        ("fields a | limit 3", ["fields", "limit"], "none"),
        ("stats count(*) by bin(5m)", ["stats"], "time"),
        ("stats avg(a) by bin(5m) as t, path | sort t", ["stats", "sort"], "time"),
        ("filter a = 1 | stats max(a), count(*) by path", ["filter", "stats"], "bar"),
        ("stats count(*) by path, level", ["stats"], "none"),
        ("stats count(*)", ["stats"], "none"),
        ("stats latest(a) by path | sort path", ["stats", "sort"], "bar"),
        ("stats count(*) as n by path | display n", ["stats", "display"], "none"),
    ],
)
def test_a_check_tells_what_a_query_can_be_drawn_as(server, query, commands, chart):
    """So the page knows before it runs."""
    answer = json.loads(post(server, "/check", {"query": query})[1])

    assert answer == {"errors": [], "commands": commands, "chart": chart}


def test_a_check_tells_every_error_that_a_run_would(server):
    """Also those that only the engine knows: RE2 has no look-around."""
    query = "filter a like /(?=x)/"

    answer = json.loads(post(server, "/check", {"query": query})[1])

    (place,) = answer["errors"]
    assert query[place["start"] : place["end"]] == "/(?=x)/"
    assert answer["chart"] == "none"


def test_the_language_tells_what_can_be_written(server):
    """An editor completes from it."""
    answer = server.get(f"{API}/language")

    commands = {one["name"]: one for one in answer["commands"]}
    functions = {one["name"]: one for one in answer["functions"]}
    assert commands["stats"]["syntax"].startswith("stats")
    assert "stats" in commands["stats"]["example"]
    assert functions["pct"]["kind"] == "aggregate"
    assert functions["strlen"] == {
        "name": "strlen",
        "syntax": "strlen(text)",
        "summary": functions["strlen"]["summary"],
        "kind": "function",
    }
    assert "by" in answer["keywords"]
    for name in ("/app/web", "/aws/lambda/fn"):
        _aws(server, "CreateLogGroup", logGroupName=name)
    for one in answer["commands"]:
        assert json.loads(post(server, "/check", {"query": one["example"]})[1])["errors"] == []


def test_fields_are_told_with_the_share_of_records_that_have_them(server, shop):
    """What is common is offered first."""
    found = server.get(f"{API}/fields", groups=shop, **{"from": "-1h"})["fields"]

    shares = {one["name"]: one["share"] for one in found}
    assert shares["@timestamp"] == shares["level"] == shares["path"] == 1
    assert shares["latency"] == 0.875
    assert "trace_id" not in shares
    assert [one["share"] for one in found] == sorted(shares.values(), reverse=True)
    assert server.get(f"{API}/fields", groups=shop, **{"from": "-1m"})["fields"] == []


def test_groups_are_told_with_their_records(server, shop):
    """Each service is one."""
    assert server.get(f"{API}/groups", prefix=shop)["groups"] == [{"name": shop, "records": 8}]


def test_a_saved_query_is_changed_and_removed_by_its_id(server, shop):
    """The store is that of PutQueryDefinition."""

    def put(**given):
        return server.call("PUT", f"{API}/saved", json.dumps(given).encode())

    made = json.loads(put(name="slow", query="sort latency desc", groups=[shop])[1])
    changed = json.loads(put(name="slower", query="limit 1", groups=[], id=made["id"])[1])
    listed = [one for one in server.get(f"{API}/saved")["saved"] if one["id"] == made["id"]]
    described = _definitions(server)
    first = server.call("DELETE", f"{API}/saved/{made['id']}")[0]
    second, content, _ = server.call("DELETE", f"{API}/saved/{made['id']}")

    assert made["groups"] == [shop]
    assert listed == [changed]
    assert {**changed, "modified": 0} == {
        "id": made["id"], "name": "slower", "query": "limit 1", "groups": [], "modified": 0,
    }  # fmt: skip
    assert (made["id"], "slower", "limit 1") in described
    assert (first, second) == (200, 404)
    assert json.loads(content)["error"]["code"] == "not_found"
    assert put(name="n", query="limit 1", id="nosuch")[0] == 404


def _definitions(server):
    found = _aws(server, "DescribeQueryDefinitions")["queryDefinitions"]
    return [(one["queryDefinitionId"], one["name"], one["queryString"]) for one in found]


def _aws(server, operation, **given):
    """Return the answer of an operation of the AWS endpoint."""
    headers = {"X-Amz-Target": f"Logs_20140328.{operation}", **AWS}
    return json.loads(server.call("POST", "/", json.dumps(given).encode(), headers)[1] or b"{}")


@pytest.fixture
def hostile(server, service):
    """Records whose texts a spreadsheet would run."""
    texts = ["=1+1", "+1", "-1", "@SUM(1)", "\tx", 'a "b", c', "line\nbreak", "Äö€"]
    now = time.time_ns() - 60 * 10**9
    lines = [
        {"timestamp": now + n * 10**6, "message": "m", "t": text, "n": n / 4}
        for n, text in enumerate(texts)
    ]
    server.send(lines, resource={"service.name": service})
    return f"/clerestory/{service}", texts


def _export(server, form, group):
    body = {"query": "fields @timestamp, t, n, nope | sort n", "groups": [group]}
    status, content, headers = post(server, f"/export?format={form}", body)
    assert status == 200, content
    assert headers["content-disposition"].startswith('attachment; filename="insights-')
    assert headers["content-disposition"].endswith(f'.{form}"')
    return content


def test_files_hold_every_value_exactly(server, hostile):
    """No silent change, whatever a spreadsheet makes of it."""
    group, texts = hostile

    rows = list(csv.reader(io.StringIO(_export(server, "csv", group).decode(), newline="")))
    objects = json.loads(_export(server, "json", group))
    lines = [json.loads(line) for line in _export(server, "ndjson", group).splitlines()]
    table = parquet.read_table(io.BytesIO(_export(server, "parquet", group)))

    assert rows[0] == ["@timestamp", "t", "n", "nope"]
    assert [row[1] for row in rows[1:]] == texts
    assert [row[2] for row in rows[1:4]] == ["0", "0.25", "0.5"]
    assert [one["t"] for one in objects] == texts
    assert lines == objects
    assert objects[1]["n"] == 0.25
    assert objects[1]["nope"] is None
    assert table.column_names == ["@timestamp", "t", "n", "nope"]
    assert table.column("t").to_pylist() == texts
    assert table.column("n").to_pylist() == [n / 4 for n in range(8)]
    assert table.column("nope").to_pylist() == [None] * 8
    assert table.column("@timestamp")[0].as_py().isoformat(" ")[:23] == rows[1][0]


def test_a_format_that_is_not_there_is_refused(server):
    """The error names those that are."""
    status, content, _ = post(server, "/export?format=xls", {"query": "limit 1"})

    assert status == 400
    assert "csv, json, ndjson, parquet" in json.loads(content)["error"]["message"]


def _hard(times):
    """Return a query that takes seconds, the more the oftener each text is read."""
    steps = [f'regexReplace(@message, /([0-9]+)/, "x{n}")' for n in range(times)]
    return f"fields strlen(concat({', '.join(steps)})) as n | stats sum(n)"


@pytest.fixture(scope="module")
def much(server):
    """A group that the hard query takes many seconds for."""
    now = time.time_ns() - 60 * 10**9
    for batch in range(20):
        lines = [{"timestamp": now + n, "message": f"m{batch} {n}" * 20} for n in range(20_000)]
        server.send(lines, resource={"service.name": "much"})
    return "/clerestory/much"


def _open(server, path, group):
    """Send the hard query and return the connection."""
    address = urlsplit(server.url)
    body = json.dumps({"query": _hard(16), "groups": [group], "from": "-1h"}).encode()
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    head = f"POST {API}{path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}"
    connection.sendall(f"{head}\r\n\r\n".encode() + body)
    return connection


def _running(server):
    """Return how many queries run."""
    return len(_aws(server, "DescribeQueries", status="Running")["queries"])


def _wait(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["", "/export?format=csv"])
def test_who_closes_the_connection_ends_the_query_in_the_engine(server, much, path):
    """A page that was left would otherwise heat the machine for a minute."""
    connections = [_open(server, path, much) for _thread in range(2)]  # as many as run at a time
    _wait(lambda: _running(server) == 2)

    for connection in connections:
        connection.close()
    closed = time.monotonic()
    answer = ask(server, "stats count(*)", much)  # waits for a thread

    assert answer["result"]["rows"] == [[400_000]]
    assert time.monotonic() - closed < 6
    assert _running(server) == 0


def test_a_query_that_takes_long_tells_how_far_it_is(server, much):
    """Who sees it move waits; who does not, asks again."""
    body = {"query": _hard(2), "groups": [much], "from": "-1h"}

    lines = [json.loads(line) for line in post(server, "", body)[1].splitlines()]

    told = [line["progress"] for line in lines[:-1]]
    assert len(told) >= 3
    assert [one["seconds"] for one in told] == sorted(one["seconds"] for one in told)
    assert max(one["records_scanned"] for one in told) > 0
    assert max(one["bytes_scanned"] for one in told) > 0
    assert lines[-1]["result"]["statistics"]["records_scanned"] == 400_000


def test_a_server_that_stops_ends_its_queries_and_says_so():
    """Nobody waits a minute for a restart, and no traceback scares the operator."""
    with ServerProcess() as stopping:
        now = time.time_ns() - 60 * 10**9
        for batch in range(10):
            lines = [{"timestamp": now + n, "message": f"{batch} {n}" * 20} for n in range(20_000)]
            stopping.send(lines, resource={"service.name": "much"})
        connections = [
            _open(stopping, path, "/clerestory/much") for path in ("", "/export?format=csv")
        ]
        _wait(lambda: _running(stopping) == 2)
        began = time.monotonic()

        code = stopping.stop()

        assert code == 0
        assert time.monotonic() - began < 8
        answers = [connection.makefile("rb").read() for connection in connections]
        for connection in connections:
            connection.close()
    assert b'"code":"stopping"' in answers[0]
    assert answers[1].startswith(b"HTTP/1.1 503")
