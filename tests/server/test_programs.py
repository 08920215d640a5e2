"""What programs say about their delivery: on /metrics, in the API, on the page."""

import os
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import SOURCE

PROGRAM = """
import clerestory
log = clerestory.get_logger("reporter")
for n in range(40):
    log.info("counted", n=n)
clerestory.flush(10)
"""


def run_program(server, tmp_path, *destinations, program=PROGRAM):
    """Run a real program that delivers here, and to where nobody listens."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SERVICE": "reporter",
        "CLERESTORY_ENDPOINT": server.url,
        "CLERESTORY_DESTINATIONS": ",".join(["server", *destinations]),
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "CLERESTORY_SHUTDOWN_TIMEOUT": "0.2",
    }
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def metric(server, name, **labels):
    """Return the value of a metric as Prometheus' own parser reads it."""
    text = server.call("GET", "/metrics")[1].decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def test_metrics_tell_what_programs_counted(server, tmp_path):
    """Made, and lag of a destination that is away; read by Prometheus' parser."""
    program = PROGRAM.replace("clerestory.flush(10)", "import time; time.sleep(6)\n") + (
        'log.info("later")\nclerestory.flush(2)\n'
    )

    run_program(server, tmp_path, "http+json://127.0.0.1:9/in", program=program)

    ours = {"service": "reporter"}
    assert metric(server, "clerestory_program_made_records_total", **ours) >= 1
    away = ours | {"destination": "http-127.0.0.1_9_in"}
    assert metric(server, "clerestory_program_sent_records_total", **away) == 0
    assert metric(server, "clerestory_program_retries_total", **away) > 0
    assert metric(server, "clerestory_program_oldest_age_seconds", **away) > 4
    assert metric(server, "clerestory_records_stored_total") >= 41


def test_the_api_names_the_program_and_its_destinations(server, tmp_path):
    """With the names that the program itself has for them."""
    run_program(server, tmp_path)

    newest = server.get("/api/v1/programs")["programs"][0]

    assert newest["service"] == "reporter"
    assert newest["pid"] > 0
    [destination] = newest["counts"]["destinations"]
    assert destination.startswith("server-127.0.0.1_")


@pytest.mark.parametrize(
    "report", ["{", "[1]", '{"destinations": 7}', '{"dropped": {"a": "x"}}', "x" * 40_000]
)
def test_a_report_that_is_none_costs_no_record(server, report):
    """It is said by the way; the batch counts."""
    body = f'{{"timestamp":{time.time_ns()},"level":"INFO","message":"m"}}\n'.encode()

    status, answer, _ = server.call(
        "POST",
        "/v1/records",
        body,
        {"Clerestory-Spool": "r" * 32, "Clerestory-Stats": quote(report)},
    )

    assert status == 200, answer
    assert server.call("GET", "/metrics")[0] == 200
    assert server.call("GET", "/api/v1/programs")[0] == 200
