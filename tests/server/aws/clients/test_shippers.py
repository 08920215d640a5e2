"""Libraries that ship logs to CloudWatch, with nothing changed but the address."""

import json
import logging

import pytest
import watchtower
from botocore.exceptions import ClientError

from clerestory.delivery.port import Batch
from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig
from tests.server.aws.conftest import client, found
from tests.support.batches import RESOURCE, SPOOL
from tests.support.cloudwatch import line

BURST = 20_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_burst_through_watchtower_is_read_back_whole(server, monkeypatch):
    """Its queue, threads and tokens are its own; for tags it asks STS who it is.

    What is logged while it creates its stream watchtower itself drops, so one record goes first.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    logs = client(server.url)
    handler = watchtower.CloudWatchLogHandler(
        log_group_name="watchtower", log_stream_name="burst", boto3_client=logs, send_interval=1,
        log_group_retention_days=30, log_group_tags={"by": "watchtower"},
    )  # fmt: skip
    logger = logging.getLogger("test.watchtower")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        logger.info("first")
        handler.flush()
        for number in range(BURST):
            logger.info("burst %d", number)
        logger.info({"structured": True, "n": 7})
    finally:
        handler.close()
        logger.removeHandler(handler)

    got = found(logs, "watchtower", logStreamNames=["burst"])

    assert got[0] == "first"
    assert sorted(got[1:-1], key=lambda text: int(text.split()[1])) == [
        f"burst {number}" for number in range(BURST)
    ]
    assert json.loads(got[-1]) == {"structured": True, "n": 7}
    (shown,) = logs.describe_log_groups(logGroupNamePrefix="watchtower")["logGroups"]
    assert shown["retentionInDays"] == 30
    assert logs.list_tags_log_group(logGroupName="watchtower")["tags"] == {"by": "watchtower"}


def test_our_own_destination_delivers_to_our_own_endpoint(server, service):
    """What CloudWatch gets is what this server gets: the same records, searched alike."""
    group = f"/test/{service}"
    destination = CloudWatch(
        CloudWatchConfig(
            log_group=group, log_stream="s", endpoint_url=server.url, region="eu-central-1",
            aws_access_key_id="k", aws_secret_access_key="s", retention_days=7,
            log_group_tags={"team": "shop"},
        )
    )  # fmt: skip
    lines = [line(f"order {number}", order=number) for number in range(500)]
    batch = Batch(spool_id=SPOOL, first=0, count=500, lines=b"".join(lines), resource=RESOURCE)

    receipt = destination.send(batch)
    destination.close()

    assert receipt.taken == 500
    logs = client(server.url)
    got = [json.loads(text) for text in found(logs, group)]
    assert [one["message"] for one in got] == [f"order {number}" for number in range(500)]
    assert found(logs, group, filterPattern="{ $.order = 499 }") != []
    assert server.rows(f'service:"{group}" order:499 level:info')[0]["message"] == "order 499"
    assert (
        logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    )


def test_a_client_that_checks_nothing_gets_the_same_errors(server):
    """A client in another language has no checks of its own."""
    logs = client(server.url, parameter_validation=False)

    with pytest.raises(ClientError) as error:
        logs.create_log_group(tags={"": "x"})

    told = error.value.response["Error"]
    assert told["Code"] == "InvalidParameterException"
    assert told["Message"].startswith(
        "3 validation errors detected: Value null at 'logGroupName' failed to satisfy constraint: "
        "Member must not be null; Value '' at 'tags..key' failed"
    )
