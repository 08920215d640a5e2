"""Pages, histogram, facets, suggestions, status: asked over HTTP of a real server."""

import json
import time
from typing import Any

import pytest

from clerestory.server.api.times import range_of


@pytest.fixture(scope="module")
def filled(server):
    now = time.time_ns()
    levels = ["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "ALERT", "CRITICAL"]
    lines = [
        {
            "timestamp": now - n // 3 * 10**9,  # three records share each instant
            "level": levels[n % 7],
            "logger": f"shop.{n % 2}",
            "message": f"order {n}",
            "region": ["eu", "us"][n % 2],
            "order": n,
        }
        for n in range(70)
    ]
    server.send(lines, resource={"service.name": "questions"})
    return server


Q = "service:questions"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_show_every_record_once_and_in_order(filled, order):
    """A cursor that skips or repeats hides the record one looks for."""
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"q": Q, "limit": 7, "order": order, "from": "-1h"}
        answer = filled.get("/api/v1/logs", **params, **({"cursor": cursor} if cursor else {}))
        seen += answer["rows"]
        cursor = answer["next"]

    assert len(seen) == len({row["id"] for row in seen}) == 70
    times = [int(row["ts"]) for row in seen]
    assert times == sorted(times, reverse=order == "desc")


def test_the_histogram_counts_every_class(filled):
    """The bars are what people see first, and trust."""
    answer = filled.get("/api/v1/histogram", q=Q, buckets=20)

    assert answer["classes"] == ["fatal", "error", "warn", "info", "debug"]
    assert [sum(column) for column in list(zip(*answer["buckets"], strict=True))[1:]] == [
        20, 10, 10, 20, 10,
    ]  # fmt: skip
    assert answer["matched"] == 70 <= answer["total"]
    starts = [bucket[0] for bucket in answer["buckets"]]
    assert len(starts) <= 21
    assert starts == list(range(starts[0], starts[-1] + 1, answer["step_ms"]))


def test_facets_and_suggestions_count_values(filled):
    """A count beside a value is a promise of what a click finds."""
    facets = filled.get("/api/v1/facets", q=Q, fields="region,level")["facets"]
    usual = filled.get("/api/v1/facets", q=Q)["facets"]
    regions = filled.get("/api/v1/suggest", field="region", prefix="E", q=Q)
    names = filled.get("/api/v1/suggest", prefix="reg", q=Q)

    assert facets[0] == {
        "field": "region",
        "distinct": 2,
        "values": [{"value": "eu", "count": 35}, {"value": "us", "count": 35}],
    }
    assert [one["field"] for one in usual[:4]] == ["level", "service", "logger", "region"]
    assert regions == [{"value": "eu", "count": 35}]
    assert names == [{"value": "region", "count": 70}]
    fields = filled.get("/api/v1/fields", q=Q)["fields"]
    assert {one["name"]: one["count"] for one in fields} == {"region": 70, "order": 70}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/logs?q=%28", 400, "bad_query"),
        ("/api/v1/logs?from=soon", 400, "bad_query"),
        ("/api/v1/logs?cursor=x", 400, "bad_query"),
        ("/api/v1/logs?limit=x", 400, "bad_query"),
        ("/api/v1/logs/nothing:1", 404, "not_found"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/v1/nothing", 404, "not_found"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(filled, path, status, code):
    """The page underlines the place that the error names."""
    got, answer, _ = filled.call("GET", path)

    assert (got, json.loads(answer)["error"]["code"]) == (status, code)


def test_hostile_text_is_data(filled):
    """What is typed into the search never becomes SQL."""
    for text in ["'; DROP TABLE logs --", "\\", "\t\n", "{q0:String}", "%_", "\0", "a" * 5000]:
        assert filled.rows(json.dumps(f"unheard{text}", ensure_ascii=False)) == []
        assert filled.rows(f'k="{text}"'.replace("\\", "\\\\")) == []


def test_status_settings_metrics_and_a_test_record_answer(filled):
    """These are asked when something else does not work."""
    before = filled.get("/api/v1/status")
    row_id = json.loads(filled.call("POST", "/api/v1/test-record")[1])["id"]
    status = filled.get("/api/v1/status")

    assert status["total_records"] == before["total_records"] + 1
    assert filled.get(f"/api/v1/logs/{row_id}")["record"]["service"] == "clerestory"
    assert b"clerestory_records_stored_total" in filled.call("GET", "/metrics")[1]
    assert filled.get("/api/v1/settings")["settings"]


def test_every_other_path_is_the_page_under_a_strict_policy(filled):
    """Log text is foreign text; the policy keeps it from running."""
    status, page, headers = filled.call("GET", "/trace/abc")
    again, _, _ = filled.call("GET", "/logs", headers={"If-None-Match": headers["etag"]})

    assert (status, again) == (200, 304)
    assert b'<base href="/">' in page
    assert "default-src 'self'" in headers["content-security-policy"]
    assert filled.call("GET", "/assets/../../../pyproject.toml")[0] in (200, 404)
    assert b"hatchling" not in filled.call("GET", "/%2e%2e/%2e%2e/pyproject.toml")[1]


def test_times_are_understood_in_four_forms():
    """Links, scripts and the page each write times their own way."""
    now = 1_795_314_823_000_000_000
    assert range_of("-15m", "", now_ns=now) == (now - 900 * 10**9, now + 10**9)
    assert range_of("1795314823000", "1795314824000", now_ns=now) == (now, now + 10**9)
    assert range_of("2026-11-22T02:33:43Z", "now", now_ns=now)[0] == now
