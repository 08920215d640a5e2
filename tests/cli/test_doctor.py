"""`clerestory doctor` names the cause, for every way in which a destination can be out of reach."""

import json
import socket
import subprocess

import pytest

from tests.cli.shell import Shell
from tests.doubles.cloudwatch import KEY, SECRET, CloudWatchLogs
from tests.doubles.http import HttpReceiver
from tests.doubles.otlp import OtlpReceiver


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def receiver():
    with HttpReceiver() as one:
        yield one


def destinations(*entries):
    return {
        "CLERESTORY_DESTINATIONS": json.dumps(list(entries)),
        "CLERESTORY_SPOOL_FREE_BYTES_MIN": "1000",
    }


def http(url, **options):
    return {"type": "http", "url": url, "token": "s3cr3t-token", **options}


def certificate(folder):
    """Write a certificate that nobody has signed but itself."""
    path = folder / "own.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", path, "-out", folder / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


def test_a_destination_that_works_gets_one_record(shell, receiver):
    """Reached, trusted, in time, and a record taken."""
    done = shell.run("doctor", **destinations(http(receiver.url)))

    assert done.returncode == 0, done.stdout
    assert "took a record in" in done.stdout
    assert [record["message"][:17] for record in receiver.records] == ["clerestory doctor"]


def test_a_wrong_key_is_named_and_not_shown(shell, receiver):
    """What to do stands beside it."""
    done = shell.run("doctor", **destinations(http(receiver.url, token="wr0ng")))

    assert done.returncode == 1
    assert "401" in done.stdout
    assert "check the key or token" in done.stdout
    assert "wr0ng" not in done.stdout


def test_a_name_that_dns_does_not_know_is_named(shell):
    """The most usual cause of all, and the name stands in the message."""
    done = shell.run("doctor", **destinations(http("https://logs.eu-wets-1.invalid")))

    assert done.returncode == 1
    assert "DNS does not know logs.eu-wets-1.invalid" in done.stdout
    assert "region" in done.stdout


def test_a_certificate_that_is_not_trusted_is_named(shell, tmp_path):
    """And with the right `ca_file` all is well."""
    with HttpReceiver(certificate=str(certificate(tmp_path))) as receiver:
        untrusted = shell.run("doctor", **destinations(http(receiver.url)))
        ca_file = str(tmp_path / "cert.pem")
        trusted = shell.run("doctor", **destinations(http(receiver.url, ca_file=ca_file)))

    assert untrusted.returncode == 1
    assert "certificate" in untrusted.stdout
    assert "ca_file" in untrusted.stdout
    assert trusted.returncode == 0, trusted.stdout


def test_a_receiver_that_wants_a_certificate_of_ours_is_named(shell, tmp_path):
    """And with one all is well."""
    own = str(certificate(tmp_path))
    with OtlpReceiver(certificate=own, clients=own) as receiver:
        entry = {"type": "otlp", "endpoint": receiver.url, "ca_file": own}
        without = shell.run("doctor", **destinations(entry))
        shown = shell.run("doctor", **destinations({**entry, "client_certificate": own}))

    assert without.returncode == 1
    assert "client_certificate" in without.stdout
    assert shown.returncode == 0, shown.stdout


def test_tls_towards_a_plain_port_is_named(shell, receiver):
    """An http address that was written as https."""
    done = shell.run("doctor", **destinations(http(receiver.url.replace("http:", "https:"))))

    assert done.returncode == 1
    assert "TLS" in done.stdout


def test_a_port_that_nobody_listens_on_is_named(shell):
    """Not `connection error`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = shell.run("doctor", **destinations(http(f"http://127.0.0.1:{port}")))

    assert done.returncode == 1
    assert f"nobody listens at 127.0.0.1:{port}" in done.stdout


@pytest.mark.parametrize(("offset_s", "direction"), [(600, "slow"), (-600, "fast")])
def test_a_clock_ten_minutes_off_is_named(shell, receiver, offset_s, direction):
    """Signatures are refused because of it, and nobody thinks of it."""
    receiver.clock_offset_s = offset_s

    done = shell.run("doctor", **destinations(http(receiver.url)))

    assert done.returncode == 1
    assert direction in done.stdout
    assert "NTP" in done.stdout


def test_a_disk_that_is_full_is_named(shell, receiver):
    """How much is missing, and which setting says so."""
    environment = destinations(http(receiver.url)) | {"CLERESTORY_SPOOL_FREE_BYTES_MIN": "900TB"}

    done = shell.run("doctor", **environment)

    assert done.returncode == 1
    assert "GB free" in done.stdout
    assert "spool.free_bytes_min" in done.stdout


def test_a_wrong_entry_is_named_and_the_others_are_looked_at(shell, receiver):
    """One typing error hides nothing else."""
    done = shell.run("doctor", **destinations({"type": "htpt"}, http(receiver.url)))

    assert done.returncode == 1
    assert "did you mean 'http'" in done.stdout
    assert "took a record in" in done.stdout


# -- CloudWatch: what AWS says, in words that help ------------------------------------------------


@pytest.fixture
def cloudwatch():
    with CloudWatchLogs() as one:
        yield one


def aws(double, **changes):
    """Return the environment of a program that sends to the double."""
    return {
        "CLERESTORY_DESTINATIONS": "cloudwatch:///shop",
        "CLERESTORY_SPOOL_FREE_BYTES_MIN": "1000",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": double.url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **changes,
    }


def test_cloudwatch_takes_a_record_from_the_doctor(shell, cloudwatch):
    """Group and stream are made on the way."""
    done = shell.run("doctor", **aws(cloudwatch))

    assert done.returncode == 0, done.stdout
    assert "took a record in" in done.stdout
    assert len(cloudwatch.messages("shop")) == 1


def test_a_wrong_secret_key_is_named(shell, cloudwatch):
    """AWS says that the signature does not match."""
    done = shell.run("doctor", **aws(cloudwatch, AWS_SECRET_ACCESS_KEY="wr0ng" * 8))

    assert done.returncode == 1
    assert "signature" in done.stdout
    assert "key" in done.stdout
    assert "wr0ng" not in done.stdout


def test_an_expired_token_is_named(shell, cloudwatch):
    """Temporary credentials of an hour ago."""
    cloudwatch.token = "of this hour"

    done = shell.run("doctor", **aws(cloudwatch, AWS_SESSION_TOKEN="of an hour ago"))

    assert done.returncode == 1
    assert "ExpiredToken" in done.stdout
    assert "credentials" in done.stdout


def test_a_missing_permission_is_named_with_the_policy_to_add(shell, cloudwatch):
    """Which action, for which resource: ready to paste."""
    cloudwatch.denied = {"PutLogEvents"}

    done = shell.run("doctor", **aws(cloudwatch))

    assert done.returncode == 1
    assert "logs:PutLogEvents" in done.stdout
    assert "policy" in done.stdout


def test_a_region_that_does_not_exist_is_named(shell):
    """Its address is not known to DNS, and the region stands in it."""
    done = shell.run(
        "doctor",
        CLERESTORY_DESTINATIONS="cloudwatch://eu-wets-1.invalid/shop",
        CLERESTORY_SPOOL_FREE_BYTES_MIN="1000",
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
    )

    assert done.returncode == 1
    assert "DNS does not know logs.eu-wets-1" in done.stdout


def test_a_missing_region_is_named(shell):
    """Nothing is asked of the network without one."""
    environment = {
        "CLERESTORY_DESTINATIONS": "cloudwatch:///shop",
        "CLERESTORY_SPOOL_FREE_BYTES_MIN": "1000",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    done = shell.run("doctor", **environment)

    assert done.returncode == 1
    assert "region" in done.stdout
    assert "AWS_REGION" in done.stdout
