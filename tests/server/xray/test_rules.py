"""Sampling rules: as boto3 and a page of our own origin see them."""

import json
import time

import pytest

from clerestory.server.xray.catalog.catalog import Catalog
from clerestory.server.xray.sampling import Clients
from tests.server.xray.conftest import client
from tests.support.server import ServerProcess

CLIENTS = ("a" * 24, "b" * 24, "c" * 24)


def rule(name, **changes):
    """Return the seed's rule under another name."""
    return {
        "RuleName": name, "ResourceARN": "*", "Priority": 9000, "FixedRate": 0.1,
        "ReservoirSize": 5, "ServiceName": "backend-flask", "ServiceType": "*", "Host": "*",
        "HTTPMethod": "*", "URLPath": "*", "Version": 1, **changes,
    }  # fmt: skip


def report(name, who=CLIENTS[0], **counts):
    told = {"RequestCount": 10, "SampledCount": 2, "BorrowCount": 1, **counts}
    return {"RuleName": name, "ClientID": who, "Timestamp": time.time(), **told}


def names(xray):
    return [
        one["SamplingRule"]["RuleName"] for one in xray.get_sampling_rules()["SamplingRuleRecords"]
    ]


def post(server, path, body):
    """Return status and answer of a call without a signature, as a page makes it."""
    status, told, _ = server.call(
        "POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return status, json.loads(told)


@pytest.fixture
def made(xray, name):
    yield xray.create_sampling_rule(SamplingRule=rule(name))["SamplingRuleRecord"]
    if name in names(xray):
        xray.delete_sampling_rule(RuleName=name)


def test_a_rule_is_given_back_as_it_was_made(xray, made, name):
    """What a sampler reads decides what it samples."""
    (found,) = [
        one
        for one in xray.get_sampling_rules()["SamplingRuleRecords"]
        if one["SamplingRule"]["RuleName"] == name
    ]

    assert found == made
    arn = f"arn:aws:xray:eu-central-1:000000000000:sampling-rule/{name}"
    assert found["SamplingRule"] == rule(name, Attributes={}, RuleARN=arn)
    assert abs(found["CreatedAt"].timestamp() - time.time()) < 60


def test_rules_stand_in_the_order_in_which_they_are_tried(xray, made, name):
    """Priority first, then the name; Default is the last."""
    first = f"{name}-first"
    xray.create_sampling_rule(SamplingRule=rule(first, Priority=1))

    listed = names(xray)

    xray.delete_sampling_rule(RuleName=first)
    assert listed.index(first) < listed.index(name) < listed.index("Default")
    assert listed[-1] == "Default"


def test_only_members_that_are_given_change(xray, made, name):
    """An update is no replacement."""
    changed = xray.update_sampling_rule(
        SamplingRuleUpdate={"RuleARN": made["SamplingRule"]["RuleARN"], "FixedRate": 0.5}
    )["SamplingRuleRecord"]

    assert changed["SamplingRule"] == made["SamplingRule"] | {"FixedRate": 0.5}
    assert changed["ModifiedAt"] >= made["ModifiedAt"]


def test_a_rule_that_is_deleted_is_given_back_once_more(xray, made, name):
    """And is gone."""
    gone = xray.delete_sampling_rule(RuleName=name)["SamplingRuleRecord"]

    assert gone == made
    assert name not in names(xray)
    with pytest.raises(xray.exceptions.InvalidRequestException, match="no sampling rule"):
        xray.delete_sampling_rule(RuleName=name)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Priority": 0}, "greater than or equal to 1"),
        ({"Priority": 10_000}, "less than or equal to 9999"),
        ({"FixedRate": 1.5}, "less than or equal to 1"),
        ({"ReservoirSize": -1}, "greater than or equal to 0"),
        ({"Version": 2}, "Version must be 1"),
        ({"RuleName": None}, "RuleName"),
        ({"HTTPMethod": "x" * 11}, "length less than or equal to 10"),
        ({"Attributes": {str(i): "v" for i in range(6)}}, "length less than or equal to 5"),
        ({"ServiceName": None}, "must not be null"),
        ({"Nonsense": 1}, "Nonsense"),
        ({"Priority": "high"}, "can not be converted"),
    ],
)
def test_a_rule_beyond_the_limits_says_what_is_wrong(server, name, changes, told):
    """The limits are AWS's, so that what works here works there."""
    status, answer = post(server, "/CreateSamplingRule", {"SamplingRule": rule(name, **changes)})

    assert status == 400
    assert told in answer["Message"]


def test_the_default_rule_keeps_everything_but_its_rates(xray):
    """It is what matches when nothing else does."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="cannot be deleted"):
        xray.delete_sampling_rule(RuleName="Default")
    with pytest.raises(xray.exceptions.InvalidRequestException, match="Host"):
        xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "Host": "x"})

    told = {"RuleName": "Default", "FixedRate": 0.05, "ReservoirSize": 1}
    changed = xray.update_sampling_rule(SamplingRuleUpdate=told)

    assert changed["SamplingRuleRecord"]["SamplingRule"]["Priority"] == 10_000


def test_a_page_of_our_own_origin_edits_rules_without_a_signature(server, name):
    """The web page calls these paths with plain JSON."""
    assert post(server, "/CreateSamplingRule", {"SamplingRule": rule(name)})[0] == 200
    status, again = post(server, "/CreateSamplingRule", {"SamplingRule": rule(name)})
    assert (status, again["__type"]) == (400, "InvalidRequestException")
    update = {"SamplingRuleUpdate": {"RuleName": name, "Priority": 5}}
    assert (
        post(server, "/UpdateSamplingRule", update)[1]["SamplingRuleRecord"]["SamplingRule"][
            "Priority"
        ]
        == 5
    )
    status, told = post(server, "/UpdateSamplingRule", {"SamplingRule": {"RuleName": name}})
    assert status == 400
    assert "SamplingRule" in told["Message"]
    assert post(server, "/DeleteSamplingRule", {"RuleName": name})[0] == 200


def test_a_reservoir_is_shared_among_the_samplers_that_live(xray, made, name):
    """The sum of the quotas is the reservoir, whoever asks."""
    for _ in range(2):
        found = [
            xray.get_sampling_targets(SamplingStatisticsDocuments=[report(name, who)])
            for who in CLIENTS[:2]
        ]
    targets = [one["SamplingTargetDocuments"][0] for one in found]

    assert [one["ReservoirQuota"] for one in targets] == [3, 2]
    assert {one["FixedRate"] for one in targets} == {0.1}
    assert {one["Interval"] for one in targets} == {10}
    assert 15 < targets[0]["ReservoirQuotaTTL"].timestamp() - time.time() < 25
    assert found[0]["LastRuleModification"] >= made["ModifiedAt"]


def test_samplers_that_fell_silent_lose_their_part():
    """Half a minute after its last report a process is gone."""
    now = [0.0]
    clients = Clients(lambda: now[0])
    clients.quota("r", "a", 7)
    assert clients.quota("r", "b", 7) == 3

    now[0] = 31.0

    assert clients.quota("r", "b", 7) == 7


def test_reports_are_summed_and_unknown_rules_named(xray, made, name):
    """Statistics tell whether a rule does what was meant."""
    answer = xray.get_sampling_targets(
        SamplingStatisticsDocuments=[report(name), report(name, CLIENTS[1]), report("no-such")]
    )

    assert len(answer["SamplingTargetDocuments"]) == 2
    assert [one["RuleName"] for one in answer["UnprocessedStatistics"]] == ["no-such"]
    summaries = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    (mine,) = [one for one in summaries if one["RuleName"] == name]
    assert (mine["RequestCount"], mine["BorrowCount"], mine["SampledCount"]) == (20, 2, 4)


def test_a_report_of_a_malformed_client_is_refused(xray, made, name):
    """An id is 24 hex digits; anything else would count as a sampler of its own."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="24 hex"):
        xray.get_sampling_targets(SamplingStatisticsDocuments=[report(name, "x" * 24)])


def test_there_is_a_limit_of_rules(tmp_path):
    """The 26th is RuleLimitExceeded, as on AWS."""
    from clerestory.server.aws.errors import AwsError

    catalog = Catalog(tmp_path)
    for number in range(25):
        catalog.add_rule(rule(f"r{number}"), {})

    with pytest.raises(AwsError) as caught:
        catalog.add_rule(rule("one-more"), {})

    catalog.close()
    assert caught.value.code == "RuleLimitExceededException"


def test_rules_groups_and_counts_outlive_the_server(tmp_path):
    """They are configuration: nobody makes them twice."""
    with ServerProcess(tmp_path) as server:
        xray = client(server.url)
        xray.create_sampling_rule(SamplingRule=rule("kept"))
        xray.get_sampling_targets(SamplingStatisticsDocuments=[report("kept")])
        group = xray.create_group(GroupName="kept", FilterExpression="fault")["Group"]
        before = xray.get_sampling_rules()["SamplingRuleRecords"]

    with ServerProcess(tmp_path) as server:
        xray = client(server.url)
        assert xray.get_sampling_rules()["SamplingRuleRecords"] == before
        assert xray.get_groups()["Groups"] == [group]
        (counted,) = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
        assert counted["RequestCount"] == 10
