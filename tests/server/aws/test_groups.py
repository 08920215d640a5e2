"""Groups, streams, tags and retention, through AWS's own client."""

import pytest
from botocore.exceptions import ClientError

from tests.server.aws.conftest import now_ms, put


def told(error):
    """Return code and text of an error."""
    answer = error.value.response["Error"]
    return answer["Code"], answer["Message"]


def names(logs, **given):
    pages = logs.get_paginator("describe_log_groups").paginate(**given)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def test_a_group_that_exists_cannot_be_created_again(logs, group):
    """Every set-up script relies on this error to go on."""
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException) as error:
        logs.create_log_group(logGroupName=group)

    assert told(error)[1] == "The specified log group already exists"


def test_a_stream_that_exists_cannot_be_created_again(logs, group):
    """Shippers create their stream at each start and expect this."""
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException) as error:
        logs.create_log_stream(logGroupName=group, logStreamName="s")

    assert told(error)[1] == "The specified log stream already exists"


def test_a_group_is_described_with_what_aws_tells_of_one(logs, group):
    """Terraform and CDK compare every member."""
    put(logs, group, "12345")

    (shown,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]

    arn = f"arn:aws:logs:eu-central-1:000000000000:log-group:{group}"
    assert shown.pop("creationTime") > now_ms() - 60_000
    assert shown == {
        "logGroupName": group,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": 31,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
        "deletionProtectionEnabled": False,
    }


def test_groups_come_in_pages_sorted_by_name(logs, group):
    """A page that begins anew or skips is seen only with several."""
    wanted = [f"{group}/{letter}" for letter in "BDACE"]
    for name in wanted:
        logs.create_log_group(logGroupName=name)

    got = names(logs, logGroupNamePrefix=f"{group}/", PaginationConfig={"PageSize": 2})

    assert got == sorted(wanted)


def test_a_group_is_found_by_a_part_of_its_name_case_and_all(logs, group):
    """AWS's search has case, unlike most."""
    logs.create_log_group(logGroupName=f"{group}-DataLogs")

    assert names(logs, logGroupNamePattern=f"{group}-Data") == [f"{group}-DataLogs"]
    assert names(logs, logGroupNamePattern=f"{group}-data") == []


def test_list_log_groups_takes_alternatives_and_anchors(logs, group):
    """A dot in a name is a dot, not any character."""
    got = logs.list_log_groups(logGroupNamePattern=f"^{group[:20]}|nosuch")["logGroups"]

    assert group in [one["logGroupName"] for one in got]
    assert logs.list_log_groups(logGroupNamePattern="^nosuch")["logGroups"] == []


@pytest.mark.parametrize("name", ["aws/x", "AWS/x", "/clerestory/x"])
def test_reserved_names_cannot_be_created(logs, name):
    """AWS keeps its own, we keep the views of our records."""
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.create_log_group(logGroupName=name)


@pytest.mark.parametrize(
    ("call", "given", "code", "text"),
    [
        (
            "create_log_stream",
            {"logGroupName": "nosuch", "logStreamName": "s"},
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        ),
        (
            "delete_log_group",
            {"logGroupName": "nosuch"},
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        ),
        (
            "describe_log_groups",
            {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"},
            "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ),
        (
            "describe_log_streams",
            {"logGroupName": "a", "logGroupIdentifier": "a"},
            "ValidationException",
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        ),
        (
            "create_log_group",
            {"logGroupName": "x" * 513},
            "InvalidParameterException",
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
        ),
        (
            "filter_log_events",
            {"logGroupName": "nosuch", "limit": 10_001},
            "InvalidParameterException",
            (
                "1 validation error detected: Value '10001' at 'limit' failed to satisfy "
                "constraint: Member must have value less than or equal to 10000"
            ),
        ),
        (
            "put_metric_filter",
            {
                "logGroupName": "nosuch",
                "filterName": "f" * 513,
                "filterPattern": "",
                "metricTransformations": [
                    {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
                ],
            },
            "InvalidParameterException",
            (
                f"1 validation error detected: Value '{'f' * 513}' at 'filterName' failed to "
                "satisfy constraint: Member must have length less than or equal to 512"
            ),
        ),
        (
            "describe_log_groups",
            {"nextToken": "nonsense"},
            "InvalidParameterException",
            "The specified nextToken is invalid.",
        ),
    ],
)
def test_errors_have_the_codes_and_texts_of_aws(logs, call, given, code, text):
    """Programs and people match on them."""
    with pytest.raises(ClientError) as error:
        getattr(logs, call)(**given)

    assert told(error) == (code, text)


def test_a_token_of_another_request_is_refused(logs, group):
    """It would give a page of something else."""
    for letter in "ab":
        logs.create_log_group(logGroupName=f"{group}/{letter}")
    first = logs.describe_log_groups(logGroupNamePrefix=f"{group}/", limit=1)

    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.describe_log_groups(logGroupNamePrefix=group, nextToken=first["nextToken"])


def test_tags_set_by_one_api_are_listed_by_the_other(logs, group):
    """The old one goes by name, the new one by ARN."""
    arn = f"arn:aws:logs:eu-central-1:000000000000:log-group:{group}"

    logs.tag_resource(resourceArn=arn, tags={"team": "shop", "stage": "prod"})
    logs.tag_log_group(logGroupName=group, tags={"äö ü": "x"})
    logs.untag_log_group(logGroupName=group, tags=["stage"])

    wanted = {"team": "shop", "äö ü": "x"}
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == wanted
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == wanted


def test_the_51st_tag_is_one_too_many(logs, group):
    """It counts those that are there, not those that are sent."""
    arn = f"arn:aws:logs:eu-central-1:000000000000:log-group:{group}"
    logs.tag_resource(resourceArn=arn, tags={f"t{i}": "" for i in range(50)})

    with pytest.raises(logs.exceptions.TooManyTagsException):
        logs.tag_resource(resourceArn=arn, tags={"t50": ""})


def test_only_the_retentions_of_aws_are_taken(logs, group):
    """Eight days pass nowhere else either."""
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.put_retention_policy(logGroupName=group, retentionInDays=8)

    assert (
        logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    )
    logs.delete_retention_policy(logGroupName=group)
    assert (
        "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    )


def test_a_protected_group_cannot_be_deleted(logs, group):
    """The flag is worthless if it is only stored."""
    logs.create_log_group(logGroupName=f"{group}-kept", deletionProtectionEnabled=True)

    with pytest.raises(ClientError) as error:
        logs.delete_log_group(logGroupName=f"{group}-kept")

    assert told(error)[0] == "ValidationException"


def test_a_stream_tells_of_its_events_after_the_first_put(logs, group):
    """Clients tell a new stream by what is missing."""
    logs.create_log_stream(logGroupName=group, logStreamName="empty")
    at = now_ms() - 1000
    put(logs, group, "a", "b", at=at)

    shown = {
        one["logStreamName"]: one
        for one in logs.describe_log_streams(logGroupName=group)["logStreams"]
    }

    assert set(shown["empty"]) == {"arn", "creationTime", "logStreamName", "storedBytes"}
    assert shown["s"]["firstEventTimestamp"] == at
    assert shown["s"]["lastEventTimestamp"] == at + 1
    assert shown["s"]["lastIngestionTime"] >= at


def test_streams_are_ordered_by_name_or_by_their_last_event(logs, group):
    """Over pages, in both directions."""
    for name, at in (("a", now_ms() - 10), ("b", now_ms() - 30), ("c", now_ms() - 20)):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        put(logs, group, "x", stream=name, at=at)

    def order(**given):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 2}, **given
        )
        return "".join(one["logStreamName"] for page in pages for one in page["logStreams"])

    assert order() == "abcs"
    assert order(descending=True) == "scba"
    assert order(orderBy="LastEventTime") == "sbca"
    assert order(orderBy="LastEventTime", descending=True) == "acbs"
    with pytest.raises(logs.exceptions.InvalidParameterException):
        order(orderBy="LastEventTime", logStreamNamePrefix="a")


def test_our_own_services_are_groups_that_can_only_be_read(server, logs, service):
    """What the SDK sent is searched with the same calls."""
    server.send(
        [{"level": "ERROR", "message": "it broke", "order": 7}],
        resource={"service.name": service, "host.name": "box", "process.pid": 42},
    )
    group = f"/clerestory/{service}"

    (event,) = logs.filter_log_events(logGroupName=group, filterPattern="{ $.order = 7 }")["events"]

    assert event["logStreamName"] == "box/42"
    assert '"level":"ERROR"' in event["message"]
    assert '"message":"it broke"' in event["message"]
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] > 0
    assert logs.get_log_events(logGroupName=group, logStreamName="box/42")["events"]
    assert logs.filter_log_events(logGroupName=group, filterPattern="nosuch")["events"] == []
    for call in (
        lambda: logs.delete_log_group(logGroupName=group),
        lambda: logs.create_log_stream(logGroupName=group, logStreamName="x"),
        lambda: put(logs, group, "x", stream="box/42"),
    ):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            call()
