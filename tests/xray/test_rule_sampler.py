"""What `xray_recorder` asks before it records a segment."""

import json

import pytest

from clerestory.integrations.xray.setup.sampling import RuleSampler
from clerestory.model.errors import ConfigurationError
from clerestory.testing import capture
from clerestory.xray import XRayRecorder
from tests.server.xray.segments import until
from tests.server.xray.test_rules import rule


@pytest.fixture
def recorder():
    one = XRayRecorder()
    one.configure(service="asked-service")
    yield one
    one.sampler.close()


def test_the_daemon_s_rules_decide_and_are_named(server, xray, recorder, monkeypatch):
    """At AWS_XRAY_DAEMON_ADDRESS, as AWS's SDK asks; the segment says which rule it was."""
    daemon = server.get("/api/v1/status")["xray_address"]
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon)
    xray.create_sampling_rule(
        SamplingRule=rule("asked", ServiceName="asked-service", Priority=4, FixedRate=1.0)
    )

    until(lambda: recorder.sampler.should_trace({"service": "asked-service"}) == "asked")
    with capture() as caught, recorder.in_segment():
        pass
    xray.delete_sampling_rule(RuleName="asked")

    (line,) = [one for one in caught.records if one.get("kind") == "span"]
    assert line["aws.xray.document"]["aws"]["xray"]["sampling_rule_name"] == "asked"


def test_local_rules_decide_as_long_as_there_are_no_others(recorder, tmp_path, monkeypatch):
    """A mapping, or a file as AWS's SDK reads it."""
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9")
    never = {"version": 2, "default": {"fixed_target": 0, "rate": 0}}
    always = {"version": 2, "default": {"fixed_target": 0, "rate": 1}}
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(always))

    recorder.configure(sampling_rules=never)
    left_out = recorder.begin_segment("shop")
    recorder.end_segment()
    recorder.configure(sampling_rules=str(path))
    kept = recorder.begin_segment("shop")
    recorder.end_segment()

    assert (left_out.sampled, kept.sampled) == (False, True)


def test_an_address_that_is_none_is_told_at_the_start():
    """Not by a thread that nobody sees."""
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        RuleSampler().ask_at("nowhere")
