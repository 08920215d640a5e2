"""Groups, tags and the encryption that is only kept."""

import json

import pytest

from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.protocol.shapes import Model
from clerestory.server.xray.endpoint import MODEL
from clerestory.server.xray.operations.table import ANSWERS
from tests.server.xray.segments import counted


@pytest.fixture
def group(xray, name):
    made = xray.create_group(
        GroupName=name,
        FilterExpression='service("backend-flask")',
        Tags=[{"Key": "team", "Value": "x"}],
    )["Group"]
    yield made
    if any(one["GroupName"] == name for one in xray.get_groups()["Groups"]):
        xray.delete_group(GroupName=name)


def test_a_group_is_found_by_its_name_and_by_its_arn(xray, group, name):
    """The seed makes it, and selects traces with it."""
    assert group["FilterExpression"] == 'service("backend-flask")'
    assert group["GroupARN"].startswith(f"arn:aws:xray:eu-central-1:000000000000:group/{name}/")
    assert group["InsightsConfiguration"] == {
        "InsightsEnabled": False,
        "NotificationsEnabled": False,
    }
    assert xray.get_group(GroupName=name)["Group"] == group
    assert xray.get_group(GroupARN=group["GroupARN"])["Group"] == group
    assert group in xray.get_groups()["Groups"]


def test_a_group_is_changed_and_deleted(xray, group, name):
    """Only what is given changes."""
    changed = xray.update_group(GroupARN=group["GroupARN"], FilterExpression="fault")["Group"]

    assert changed == group | {"FilterExpression": "fault"}
    xray.delete_group(GroupName=name)
    with pytest.raises(xray.exceptions.InvalidRequestException, match="no group"):
        xray.get_group(GroupName=name)
    with pytest.raises(xray.exceptions.InvalidRequestException):
        xray.delete_group(GroupARN=group["GroupARN"])


def test_a_name_is_taken_once(xray, group, name):
    """A second group of the name would hide the first."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="already exists"):
        xray.create_group(GroupName=name)


def test_a_group_s_expression_is_read_at_once(xray, name):
    """A group that can never be evaluated is worth nothing; the error points at the character."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match=r"at character 10: .*number"):
        xray.create_group(GroupName=name, FilterExpression='duration>"x"')
    with pytest.raises(xray.exceptions.InvalidRequestException, match="cannot name a group"):
        xray.create_group(GroupName=name, FilterExpression='group.name = "other"')


def test_one_of_name_and_arn_is_needed(xray, group, name):
    """Two could name two groups."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="either"):
        xray.get_group()
    with pytest.raises(xray.exceptions.InvalidRequestException, match="either"):
        xray.get_group(GroupName=name, GroupARN=group["GroupARN"])
    with pytest.raises(xray.exceptions.InvalidRequestException, match="no ARN of a group"):
        xray.get_group(GroupARN="arn:aws:logs:x:000000000000:log-group:y")


def test_tags_are_put_listed_and_removed_by_arn(xray, group):
    """Of groups and of rules; what does not exist is 404 with its name."""
    arn = group["GroupARN"]
    xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "b", "Value": "2"},
        {"Key": "team", "Value": "x"},
    ]
    xray.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]

    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    with pytest.raises(xray.exceptions.TooManyTagsException):
        xray.tag_resource(ResourceARN=arn, Tags=many)
    unknown = "arn:aws:xray:us-east-1:000000000000:sampling-rule/no-such"
    with pytest.raises(xray.exceptions.ResourceNotFoundException) as caught:
        xray.list_tags_for_resource(ResourceARN=unknown)
    assert caught.value.response["ResourceName"] == unknown


def test_the_encryption_is_kept_and_shown(xray):
    """It has no effect here, and a program that sets it goes on."""
    assert xray.put_encryption_config(Type="KMS", KeyId="alias/k")["EncryptionConfig"] == {
        "KeyId": "alias/k",
        "Status": "ACTIVE",
        "Type": "KMS",
    }
    with pytest.raises(xray.exceptions.InvalidRequestException):
        xray.put_encryption_config(Type="NONE", KeyId="alias/k")
    xray.put_encryption_config(Type="NONE")
    assert xray.get_encryption_config()["EncryptionConfig"] == {"Status": "ACTIVE", "Type": "NONE"}


def test_an_operation_that_is_not_there_is_named_in_the_error(server):
    """It never succeeds silently."""
    for operation, path in MODEL.tables["others"].items():
        status, body, headers = server.call("POST", path, b"{}")

        told = json.loads(body)
        assert (status, told["__type"]) == (404, "UnknownOperationException")
        assert operation in told["Message"]
        assert headers["x-amzn-errortype"] == "UnknownOperationException"
        assert len(headers["x-amzn-requestid"]) == 36


def test_a_body_that_is_no_json_and_a_member_that_is_unknown_are_told(server):
    """Whatever the body holds, it is never status 500."""
    for body, told in (
        (b"{", "not valid JSON"),
        (b"[]", "can not be converted"),
        (b'{"GroupName":"x","Colour":"red"}', "Colour"),
        (b'{"GroupName":5}', "can not be converted"),
    ):
        status, answer, _ = server.call("POST", "/GetGroup", body)
        assert status == 400
        assert told in json.loads(answer)["Message"]


def test_a_token_of_another_request_is_refused(xray):
    """A page that belongs elsewhere would skip groups."""
    with pytest.raises(xray.exceptions.InvalidRequestException, match="NextToken is invalid"):
        xray.get_groups(NextToken="nonsense")


def test_a_model_names_the_page_of_its_service():
    """Who meets an unknown parameter is sent to the page of X-Ray."""
    with pytest.raises(AwsError, match=r"xray\.md"):
        Model("xray.json", page="docs/reference/xray.md").check("GetGroups", {"x": 1})


def test_what_daemons_report_is_counted(server, xray):
    """A daemon of AWS that sends to us tells of itself as it does there."""
    sent = "clerestory_xray_reported_segments_total"
    failed = "clerestory_xray_reported_errors_total"
    before = counted(server, sent, outcome="sent"), counted(server, failed, cause="timeout")

    xray.put_telemetry_records(
        TelemetryRecords=[
            {
                "Timestamp": 1_700_000_000,
                "SegmentsSentCount": 7,
                "BackendConnectionErrors": {"TimeoutCount": 2},
            }
        ]
    )

    assert counted(server, sent, outcome="sent") == before[0] + 7
    assert counted(server, failed, cause="timeout") == before[1] + 2


def test_every_operation_of_the_tables_is_answered():
    """A table without an answer would be a 500."""
    assert {*ANSWERS, "PutTraceSegments"} == set(MODEL.tables["operations"])
    assert len(MODEL.tables["operations"]) == 22
    assert len(MODEL.tables["others"]) == 16
