"""`group=NAME` on the questions of the page: traces, heat map, service map."""

import json

import pytest

from tests.server.xray.segments import new_trace, part, put, segment, until


@pytest.fixture(scope="module")
def shop(xray):
    """A good and a faulty trace of a shop, and a group of the faulty ones."""
    good, faulty = new_trace(), new_trace()
    call = part("group-shop-db", namespace="remote")
    put(
        xray,
        segment(good, "group-shop"),
        segment(faulty, "group-shop", fault=True, subsegments=[call]),
    )
    expression = 'service("group-shop") { fault }'
    xray.create_group(GroupName="group-shop-faults", FilterExpression=expression)
    yield faulty.replace("-", "")[1:]
    xray.delete_group(GroupName="group-shop-faults")


def test_the_list_holds_the_traces_of_the_group(server, shop):
    """The same expression gives the same traces to the page as to X-Ray's programs."""
    told = server.get("/api/v1/traces", group="group-shop-faults", limit=500)
    sought = server.get("/api/v1/traces", group="group-shop-faults", q="name:group-shop-db")
    other = server.get("/api/v1/traces", group="group-shop-faults", q="service:other")

    assert [one["trace_id"] for one in told["traces"]] == [shop]
    assert [one["trace_id"] for one in sought["traces"]] == [shop]
    assert other["traces"] == []


def test_heat_map_and_service_map_are_of_the_group(server, shop):
    """What the page shows beside the list belongs to it."""
    heat = server.get("/api/v1/traces/histogram", group="group-shop-faults")
    spans = server.get("/api/v1/traces/histogram", group="group-shop-faults", of="spans")
    drawn = server.get("/api/v1/services/map", group="group-shop-faults")

    assert (heat["matched"], heat["errors"]) == (1, 1)
    assert spans["matched"] == 2
    assert [one["name"] for one in drawn["services"]] == ["group-shop"]
    assert [(one["caller"], one["callee"]) for one in drawn["edges"]] == [
        ("group-shop", "group-shop-db")
    ]


def test_a_group_s_traces_are_found_anew_after_a_moment(server, xray, name):
    """What is asked three times at once is found once; what came since is not missed."""
    xray.create_group(GroupName=name, FilterExpression=f'service("{name}")')
    put(xray, segment(new_trace(), name))
    assert len(server.get("/api/v1/traces", group=name)["traces"]) == 1

    put(xray, segment(new_trace(), name))

    until(lambda: len(server.get("/api/v1/traces", group=name)["traces"]) == 2)
    xray.update_group(GroupName=name, FilterExpression='service("nobody")')
    assert server.get("/api/v1/traces", group=name)["traces"] == []
    xray.delete_group(GroupName=name)


def test_an_empty_group_has_no_traces(server, xray, name):
    """No trace is not every trace."""
    xray.create_group(GroupName=name, FilterExpression='service("nobody")')

    assert server.get("/api/v1/traces", group=name)["traces"] == []
    assert server.get("/api/v1/traces/histogram", group=name)["matched"] == 0
    xray.delete_group(GroupName=name)


@pytest.mark.parametrize("path", ["traces", "traces/histogram", "services/map"])
def test_a_group_that_is_not_there_is_not_found(server, path):
    """A page that shows all traces instead would mislead."""
    status, body, _ = server.call("GET", f"/api/v1/{path}?group=no-such")

    assert status == 404
    assert "no-such" in json.loads(body)["error"]["message"]
