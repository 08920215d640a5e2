"""AWS's own client, pointed at a server of ours."""

import itertools

import boto3
import pytest
from botocore.config import Config

_numbers = itertools.count()


def client(url, region="eu-central-1"):
    """Return a client of X-Ray that asks a server and does not try again."""
    return boto3.client(
        "xray",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.fixture(scope="session")
def xray(server):
    return client(server.url)


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"name-{next(_numbers)}"
