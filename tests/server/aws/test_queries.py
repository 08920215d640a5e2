"""StartQuery and its kin at the level of the API; the language has its own tests."""

import time

import pytest

from tests.server.aws.conftest import now_ms, put

FAR = {"startTime": 0, "endTime": 4_000_000_000}


def start(logs, group, text, **given):
    return logs.start_query(logGroupName=group, queryString=text, **{**FAR, **given})["queryId"]


def results(logs, query, **given):
    deadline = time.monotonic() + 20
    while True:
        answer = logs.get_query_results(queryId=query, **given)
        if answer["status"] not in ("Scheduled", "Running"):
            return answer
        assert time.monotonic() < deadline


def rows(answer):
    return [
        {one["field"]: one["value"] for one in row if one["field"] != "@ptr"}
        for row in answer["results"]
    ]


def test_a_query_of_the_seed_gives_its_rows(logs, group):
    """Its statistics are numbers with a point, as clients expect."""
    put(
        logs, group,
        '{"level": "ERROR", "path": "/a"}', '{"level": "ERROR", "path": "/b"}',
        '{"level": "INFO", "path": "/a"}', '{"level": "ERROR", "path": "/a"}',
    )  # fmt: skip
    text = 'fields @timestamp, path, level | filter level = "ERROR" | stats count() by path'

    answer = results(logs, start(logs, group, text))

    assert answer["status"] == "Complete"
    assert rows(answer) == [{"path": "/a", "count()": "2"}, {"path": "/b", "count()": "1"}]
    assert answer["statistics"]["recordsMatched"] == 3
    assert answer["statistics"]["recordsScanned"] == 4
    assert isinstance(answer["statistics"]["bytesScanned"], float)


def test_the_last_second_counts_whole(logs, group):
    """StartQuery counts in seconds, and both ends are in."""
    second = now_ms() // 1000 - 5
    put(logs, group, "first", "last", at=second * 1000)
    put(logs, group, "after", at=(second + 1) * 1000)

    answer = results(logs, start(logs, group, "fields @message", startTime=second, endTime=second))

    assert sorted(row["@message"] for row in rows(answer)) == ["first", "last"]


def test_a_text_that_is_no_query_fails_at_once_and_says_where(logs, group):
    """A query that fails later, or finds nothing, would be a wrong answer."""
    text = "fields @message | nosuch x"

    with pytest.raises(logs.exceptions.MalformedQueryException) as error:
        start(logs, group, text)

    told = error.value.response["queryCompileError"]
    at = told["location"]
    assert text[at["startCharOffset"] : at["endCharOffset"]] == "nosuch"
    assert told["message"] == error.value.response["Error"]["Message"]


@pytest.mark.parametrize("language", ["SQL", "PPL"])
def test_a_language_that_is_not_there_is_refused(logs, group, language):
    """Run as the other language it could even give rows."""
    with pytest.raises(logs.exceptions.InvalidParameterException) as error:
        start(logs, group, "SELECT 1", queryLanguage=language)

    assert language in str(error.value)


def test_a_group_that_does_not_exist_is_named(logs):
    """Zero rows would look like a quiet night."""
    with pytest.raises(logs.exceptions.ResourceNotFoundException) as error:
        start(logs, "nosuch", "fields @message")

    assert "Log group 'nosuch' does not exist for account ID '000000000000'" in str(error.value)


def test_groups_are_named_in_exactly_one_way(logs, group):
    """Two ways could contradict each other."""
    for given in ({}, {"logGroupName": group, "logGroupNames": [group]}):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.start_query(queryString="fields @message", **FAR, **given)
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.start_query(queryString="fields @message", logGroupNames=[group] * 51, **FAR)


def test_several_groups_and_our_own_are_asked_together(server, logs, group, service):
    """One query over what both roads brought."""
    put(logs, group, '{"n": 1}')
    server.send([{"message": "m", "n": 2}], resource={"service.name": service})

    query = logs.start_query(
        logGroupIdentifiers=[group, f"/clerestory/{service}"],
        queryString="fields @log, n | sort n",
        **FAR,
    )["queryId"]

    assert rows(results(logs, query)) == [
        {"@log": f"000000000000:{group}", "n": "1"},
        {"@log": f"000000000000:/clerestory/{service}", "n": "2"},
    ]


def test_a_query_may_name_its_groups_itself(logs, group):
    """And a name that is not there is an error, not an empty answer."""
    put(logs, group, "x")

    query = logs.start_query(queryString=f'SOURCE "{group}" | fields @message', **FAR)["queryId"]

    assert rows(results(logs, query)) == [{"@message": "x"}]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.start_query(queryString='SOURCE "nosuch" | fields @message', **FAR)


def test_a_query_may_name_its_groups_by_prefix(server, logs, group, service):
    """Our own groups are found in the same way."""
    logs.create_log_group(logGroupName=f"{group}/b")
    logs.create_log_stream(logGroupName=f"{group}/b", logStreamName="s")
    put(logs, group, "a")
    put(logs, f"{group}/b", "b")
    server.send([{"message": "m", "n": 2}], resource={"service.name": service})

    def asked(prefix):
        text = f'SOURCE logGroups(namePrefix: ["{prefix}"]) | fields @message | sort @message'
        return results(logs, logs.start_query(queryString=text, **FAR)["queryId"])

    assert [row["@message"] for row in rows(asked(group))] == ["a", "b"]
    assert asked(group)["statistics"]["logGroupsScanned"] == 2
    assert len(rows(asked(f"/clerestory/{service}"))) == 1


def test_results_come_in_pages(logs, group):
    """The last page has no token."""
    put(logs, group, *[f"e{i}" for i in range(7)])
    query = start(logs, group, "fields @message | sort @timestamp asc")
    results(logs, query)

    pages, given = [], {"queryId": query, "maxItems": 3}
    while True:
        answer = logs.get_query_results(**given)
        pages.append([row["@message"] for row in rows(answer)])
        if "nextToken" not in answer:
            break
        given["nextToken"] = answer["nextToken"]

    assert pages == [["e0", "e1", "e2"], ["e3", "e4", "e5"], ["e6"]]


def test_an_ended_query_cannot_be_stopped(logs, group):
    """Success would claim that it was cut short."""
    query = start(logs, group, "fields @message")
    results(logs, query)

    with pytest.raises(logs.exceptions.InvalidParameterException) as error:
        logs.stop_query(queryId=query)

    assert "not running" in str(error.value)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_query_results(queryId="nosuch")


def test_a_long_query_can_be_stopped(logs, group):
    """What says that it stopped must be Cancelled, and nothing else."""
    put(logs, group, *["x" * 100] * 5000)
    pairs = " | ".join(f"parse @message /(?<a{i}>x+x+x+)+y/" for i in range(6))
    queries = [start(logs, group, f"fields @message | {pairs} | stats count(*)") for _ in range(20)]

    stopped = []
    for query in queries[::-1]:
        try:
            stopped.append(logs.stop_query(queryId=query)["success"])
        except logs.exceptions.InvalidParameterException:
            stopped.append(False)

    assert any(stopped)
    ended = [results(logs, query)["status"] for query in queries[::-1]]
    assert [status == "Cancelled" for status in ended] == stopped


def test_queries_are_described_with_groups_and_time_in_their_text(logs, group):
    """The text can be pasted and run again."""
    query = start(logs, group, "fields @message", startTime=5, endTime=6)
    results(logs, query)

    (shown,) = logs.describe_queries(logGroupName=group)["queries"]

    assert shown["queryId"] == query
    assert shown["queryString"] == f'SOURCE "{group}" START=5000 END=6999 | fields @message'
    assert shown["status"] == "Complete"
    assert logs.describe_queries(logGroupName=group, status="Failed")["queries"] == []


def test_a_saved_query_is_replaced_whole(logs, group):
    """What an update does not name is cleared; a token makes a retry harmless."""
    token = "t" * 36
    saved = logs.put_query_definition(
        name="n", queryString="fields @message", logGroupNames=[group], clientToken=token
    )["queryDefinitionId"]
    again = logs.put_query_definition(
        name="n", queryString="fields @message", logGroupNames=[group], clientToken=token
    )["queryDefinitionId"]
    logs.put_query_definition(name="n2", queryString="fields a", queryDefinitionId=saved)

    (shown,) = [
        one
        for one in logs.describe_query_definitions(queryDefinitionNamePrefix="n2")[
            "queryDefinitions"
        ]
        if one["queryDefinitionId"] == saved
    ]

    assert again == saved
    assert shown["queryString"] == "fields a"
    assert "logGroupNames" not in shown
    assert logs.delete_query_definition(queryDefinitionId=saved)["success"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_query_definition(queryDefinitionId=saved)
