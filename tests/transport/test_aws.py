"""Region, endpoint and credentials: from where AWS's own tools take them."""

import subprocess
import sys
import time

import botocore.session
import pytest

from clerestory.model.errors import HoldError
from clerestory.transport import aws
from clerestory.transport.aws import AwsOptions, AwsService, CredentialChain, find_region
from clerestory.transport.exchange import Answer
from clerestory.transport.sigv4 import Credentials
from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No AWS variable, file or machine of the one who runs the tests."""
    for name in (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def no_botocore(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.session", None)


def service(url, **options):
    return AwsService("logs", "CLOUDWATCH_LOGS", AwsOptions(endpoint_url=url, **options))


def describe(to):
    """Make a call that needs nothing but a good signature."""
    return to.call("Logs_20140328.DescribeLogGroups", b"{}", "application/x-amz-json-1.1")


REGIONS = [
    region
    for partition in ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc")
    for region in botocore.session.get_session().get_available_regions("logs", partition)
]


@pytest.mark.parametrize("region", sorted({*REGIONS, "eu-isoe-west-1", "us-isof-south-1"}))
def test_every_region_has_botocores_address(region):
    """China, government and sovereign regions lie under other domains."""
    session = botocore.session.get_session()
    client = session.create_client(
        "logs", region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
    )

    assert aws.endpoint_of("logs", region, {}) == client.meta.endpoint_url


def test_fips_endpoints_are_used_where_the_environment_asks():
    """Some are obliged to."""
    assert (
        aws.endpoint_of("logs", "us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"})
        == "https://logs-fips.us-east-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://b"},
            "http://b",
        ),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
    ],
)
def test_the_address_in_the_environment_is_used(environment, expected):
    """By AWS's own rules, so that one variable leads all clients."""
    assert aws.configured_endpoint("CLOUDWATCH_LOGS", environment) == expected


def test_explicit_credentials_come_first(monkeypatch):
    """Whoever writes them down means them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    options = AwsOptions(access_key="k", secret_key="s", token="t")

    found = CredentialChain(options)()

    assert found == Credentials(access_key="k", secret_key="s", token="t")


def test_the_environment_is_enough_without_botocore(monkeypatch, no_botocore):
    """A small container image needs nothing of AWS's own software."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    with CloudWatchLogs() as double:
        double.token = "session"
        calling = service(double.url)

        answer = describe(calling)
        calling.close()

    assert answer.status == 200
    assert calling.region == "eu-west-3"


def test_without_credentials_the_message_says_what_to_do():
    """It is the first thing that goes wrong."""
    with pytest.raises(HoldError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        CredentialChain(AwsOptions())()


def test_without_botocore_the_message_names_the_extra(no_botocore):
    """And the way that needs none."""
    with pytest.raises(HoldError, match=r"pip install 'clerestory\[aws\]'"):
        CredentialChain(AwsOptions())()


def test_half_a_pair_is_told(monkeypatch):
    """AWS would only say that the signature is wrong."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")

    with pytest.raises(HoldError, match="without its secret key"):
        CredentialChain(AwsOptions())()


def test_a_profile_gives_credentials_and_region(monkeypatch, tmp_path):
    """An explicit profile wins over the environment, as with AWS's own tools."""
    (tmp_path / "credentials").write_text(
        "[shop]\naws_access_key_id = k\naws_secret_access_key = s\naws_session_token = t\n"
    )
    (tmp_path / "config").write_text("[profile shop]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    options = AwsOptions(profile="shop")

    found = CredentialChain(options)()

    assert found == Credentials(access_key="k", secret_key="s", token="t")
    assert find_region(options) == "ap-south-1"


def test_a_profile_that_does_not_exist_is_told():
    """By its name."""
    with pytest.raises(HoldError, match="shop"):
        CredentialChain(AwsOptions(profile="shop"))()


PROCESS = """[profile role]
credential_process = {python} {script}
"""
SCRIPT = """
import datetime, json, pathlib, sys
calls = pathlib.Path(sys.argv[0] + ".calls")
number = int(calls.read_text()) + 1 if calls.exists() else 1
calls.write_text(str(number))
lives = datetime.timedelta(minutes=4 if number == 1 else 60)
expires = datetime.datetime.now(datetime.timezone.utc) + lives
print(json.dumps({"Version": 1, "AccessKeyId": f"k{number}", "SecretAccessKey": "s",
                  "SessionToken": "t", "Expiration": expires.isoformat()}))
"""


def test_temporary_credentials_are_renewed_five_minutes_before_they_expire(tmp_path):
    """A batch signed with the old ones would be refused."""
    script = tmp_path / "process.py"
    script.write_text(SCRIPT)
    (tmp_path / "config").write_text(PROCESS.format(python=sys.executable, script=script))
    chain = CredentialChain(AwsOptions(profile="role"))

    chain()
    found = chain()

    assert found.access_key == "k2"


def test_credentials_that_cannot_be_renewed_hold(tmp_path):
    """Records wait until somebody mends it."""
    (tmp_path / "config").write_text(PROCESS.format(python=sys.executable, script="/nowhere.py"))

    with pytest.raises(HoldError, match="cannot be read or renewed"):
        CredentialChain(AwsOptions(profile="role"))()


def test_the_region_is_found_in_the_order_of_awss_tools(monkeypatch):
    """Else records would go where nobody looks."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    by_default = find_region(AwsOptions())
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    by_environment = find_region(AwsOptions())
    given = find_region(AwsOptions(region="eu-south-1"))

    assert (by_default, by_environment, given) == ("eu-north-1", "eu-west-1", "eu-south-1")


def test_an_address_of_ones_own_needs_no_region():
    """A region is only signed for there."""
    assert find_region(AwsOptions(), "http://127.0.0.1:4318") == "us-east-1"
    assert find_region(AwsOptions(), "https://logs.eu-west-2.amazonaws.com") == "eu-west-2"


def test_without_a_region_the_message_says_what_to_do():
    """There is no region to guess."""
    with pytest.raises(HoldError, match="give region, or set AWS_REGION"):
        find_region(AwsOptions())


def test_a_clock_that_is_off_is_corrected_with_one_more_request():
    """And every later request is right at once."""
    with CloudWatchLogs() as double:
        double.clock_s = 7200
        calling = service(double.url, access_key=KEY, secret_key=SECRET)

        first, second = describe(calling), describe(calling)
        calling.close()

    assert (first.status, second.status) == (200, 200)
    assert len(double.requests) == 3


def test_expired_credentials_are_looked_up_again_once(monkeypatch, tmp_path):
    """Credentials that somebody renewed in the shared file are found."""
    file = tmp_path / "credentials"
    pair = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    file.write_text(f"[default]\n{pair}aws_session_token = old\n")
    with CloudWatchLogs() as double:
        double.token = "old"
        calling = service(double.url)
        before = describe(calling)
        double.token = "new"
        file.write_text(f"[default]\n{pair}aws_session_token = new\n")

        after = describe(calling)
        calling.close()

    assert (before.status, after.status) == (200, 200)


def test_an_answer_names_its_error_in_any_of_awss_ways():
    """With a namespace, without, or in a header."""

    def named(body, **headers):
        return aws.error_code(Answer(status=400, headers=headers, body=body))

    assert named(b'{"__type":"com.amazonaws.logs#ThrottlingException"}') == "ThrottlingException"
    assert named(b'{"__type":"AccessDenied"}') == "AccessDenied"
    assert named(b"<html>", **{"x-amzn-errortype": "Slow:http://x/"}) == "Slow"
    assert named(b"[]") == ""


def test_nothing_is_looked_up_before_the_first_call():
    """Importing and configuring never waits for files, botocore or the machine's metadata."""
    program = (
        "import sys, time\n"
        "from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig\n"
        "start = time.monotonic()\n"
        "CloudWatch(CloudWatchConfig(log_group='g'))\n"
        "assert time.monotonic() - start < 0.5\n"
        "assert 'botocore' not in sys.modules\n"
    )
    start = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10
