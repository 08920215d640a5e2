"""The sampler `xray`, beside our server, a server that is away, and one that answers anything."""

import json
import os
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.model.errors import ConfigurationError
from clerestory.model.spans import SpanContext
from clerestory.settings import load
from clerestory.tracing.remote.asked import Asked, matches
from clerestory.tracing.remote.local import LocalRules
from clerestory.tracing.remote.rules import Counts, Rule
from clerestory.tracing.remote.sampler import XraySampler
from tests.doubles.receiver import Receiver, Reply
from tests.server.xray.segments import until
from tests.server.xray.test_rules import rule

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES") or 100)
RULE = {
    "RuleName": "r", "ResourceARN": "*", "Priority": 10, "FixedRate": 0.0, "ReservoirSize": 0,
    "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
    "Version": 1,
}  # fmt: skip
ASKED = Asked(service="shop", host="h", method="GET", path="/api/x")


def rule_of(**members):
    found = Rule.of({"SamplingRule": RULE | members})
    assert found is not None
    return found


class Rules(Receiver):
    """Answers every question with the same."""

    def __init__(self, answer: bytes):
        self.content = answer
        super().__init__()

    def answer(self, request):
        self.accepted.append(request.path)
        return Reply(body=self.content)


def test_a_rule_of_the_server_is_kept_to(server, xray):
    """As with AWS's SDK: one borrowed a second and a tenth of the rest; then a quota."""
    made = rule("ours-sampled", ServiceName="ours", Priority=1, FixedRate=0.1, ReservoirSize=5)
    xray.create_sampling_rule(SamplingRule=made)
    sampler = XraySampler(server.url, service="ours")
    sampler.decide(Asked(service="ours"))
    until(lambda: "ours-sampled" in sampler.rule_names)

    started = time.monotonic()
    decisions = [sampler.decide(Asked(service="ours")) for _ in range(1000)]
    seconds = time.monotonic() - started
    assert sampler._poller.report() in (True, False)

    (found,) = [one for one in sampler._rules if one.name == "ours-sampled"]
    summaries = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    (counted,) = [one for one in summaries if one["RuleName"] == "ours-sampled"]
    xray.delete_sampling_rule(RuleName="ours-sampled")
    sampler.close()
    sampled = sum(one for one, _ in decisions)
    assert {name for _, name in decisions} == {"ours-sampled"}
    # five standard deviations of 1,000 draws at 0.1
    assert 52 <= sampled <= 148 + 2 + seconds
    assert counted["RequestCount"] >= 1000
    assert counted["BorrowCount"] >= 1
    assert found.reservoir.quota == 5
    assert 10 < found.reservoir.ends_s - time.time() < 21


def test_a_program_is_sampled_by_what_its_requests_are(server, xray, run):
    """OTEL_TRACES_SAMPLER and its argument are enough; spans inside do as their root does."""
    xray.create_sampling_rule(
        SamplingRule=rule("paths", ServiceName="*", URLPath="/kept/*", Priority=2, FixedRate=1.0)
    )
    xray.create_sampling_rule(
        SamplingRule=rule("others", ServiceName="path-service", Priority=3, FixedRate=0.0,
                          ReservoirSize=0)
    )  # fmt: skip
    program = """
import time
import clerestory
from clerestory.tracing.rules import span_rules
with clerestory.span("first", kind="server", **{"url.path": "/left/out"}):
    pass
deadline = time.monotonic() + 20
while "others" not in span_rules().sampler.rule_names:
    assert time.monotonic() < deadline
    time.sleep(0.02)
for number in range(20):
    for path in ("/kept/x", "/left/out"):
        with clerestory.span("request", kind="server", **{"url.path": path}) as one:
            with clerestory.span("inside"):
                pass
        if path == "/kept/x":
            last = one.trace_id
clerestory.shutdown()
print(last)
"""
    trace = run(
        program,
        OTEL_SERVICE_NAME="path-service",
        OTEL_TRACES_SAMPLER="xray",
        OTEL_TRACES_SAMPLER_ARG=f"endpoint={server.url},polling_interval=60",
    )

    for name in ("paths", "others"):
        xray.delete_sampling_rule(RuleName=name)
    kept = until(lambda: server.get(f"/api/v1/traces/{trace}").get("spans"))
    found = server.get("/api/v1/traces", q="service:path-service request", limit=100)["traces"]
    assert {one["name"] for one in kept} == {"request", "inside"}
    assert len(found) == 20
    assert abs(int(trace[:8], 16) - time.time()) < 120


def test_without_a_server_one_a_second_and_five_percent_are_recorded():
    """What AWS's SDKs do; nothing listens on the port."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        sampler = XraySampler(f"http://127.0.0.1:{bound.getsockname()[1]}")

        started = time.monotonic()
        decisions = [sampler.decide(ASKED) for _ in range(4000)]
        seconds = time.monotonic() - started
        until(lambda: sampler._poller.failures)
        sampler.close()

    assert {name for _, name in decisions} == {""}
    assert decisions[0][0]
    # five standard deviations of 4,000 draws at 0.05
    assert 131 <= sum(one for one, _ in decisions) <= 269 + 2 + seconds


def test_a_server_that_never_answers_delays_no_decision():
    """The question hangs in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        sampler = XraySampler(f"http://127.0.0.1:{mute.getsockname()[1]}")

        sampler.decide(ASKED)
        started = time.monotonic()
        for _ in range(1000):
            sampler.decide(ASKED)
        took_s = time.monotonic() - started
        sampler.close()

    assert took_s < 1.0


def test_a_child_asks_for_itself_and_reports_only_its_own():
    """Else what the parent decided would be told twice."""
    content = json.dumps({"SamplingRuleRecords": [{"SamplingRule": RULE}]}).encode()
    with Rules(content) as rules:
        sampler = XraySampler(rules.url)
        sampler.decide(ASKED)
        until(lambda: sampler.rule_names)
        for _ in range(7):
            sampler.decide(ASKED)
        before = len(rules.requests)

        child = os.fork()
        if child == 0:
            sampler.decide(ASKED)
            counts = [one.counts.asked for one in sampler._rules]
            alive = sampler._poller._thread is not None and sampler._poller._thread.is_alive()
            os._exit(0 if counts == [1] and alive else 1)
        _, status = os.waitpid(child, 0)
        sampler.close()

        assert os.waitstatus_to_exitcode(status) == 0
        assert sampler._rules[0].counts.asked == 7
        assert before >= 1


def test_what_could_not_be_told_is_told_later():
    """A report that fails costs no count."""
    content = json.dumps({"SamplingRuleRecords": [{"SamplingRule": RULE}]}).encode()
    with Rules(content) as rules:
        sampler = XraySampler(rules.url)
        sampler.close()  # so that only the test reports
        sampler.take_rules([rule_of()])
        for _ in range(5):
            sampler.decide(ASKED)
        rules.fail("status", times=None, reply=Reply(status=503))

        sampler._poller.report()

        sampler.close()
    assert sampler._rules[0].counts == Counts(asked=5)


def test_the_lowest_priority_that_matches_decides():
    """Of equal ones the first by name."""
    sampler = XraySampler("http://127.0.0.1:9")
    sampler._poller.close()
    sampler.take_rules(
        [
            rule_of(RuleName="b", Priority=5),
            rule_of(RuleName="a", Priority=5),
            rule_of(RuleName="low", Priority=1, URLPath="/other/*"),
            rule_of(RuleName="Default", Priority=10000, Host="never"),
        ]
    )

    assert sampler.rule_names == ["low", "a", "b", "Default"]
    assert sampler.decide(ASKED)[1] == "a"
    assert sampler.decide(Asked(path="/other/x"))[1] == "low"
    assert sampler.decide(Asked())[1] == "low"


def test_a_quota_is_taken_before_the_rate():
    """So many a second, then the share; a quota that has ended is borrowed for, one a second."""
    one = rule_of(ReservoirSize=3)
    one.take_target({"ReservoirQuota": 2, "ReservoirQuotaTTL": 200.0, "FixedRate": 0.0})

    granted = [one.decides(100.1, 0.5) for _ in range(4)]
    again = one.decides(101.0, 0.5)
    ended = [one.decides(300.0, 0.5) for _ in range(2)]

    assert granted == [True, True, False, False]
    assert again
    assert ended == [True, False]
    assert one.counts == Counts(asked=7, sampled=3, borrowed=1)


def test_a_caller_s_decision_is_obeyed():
    """A trace is recorded whole or not at all."""
    sampler = XraySampler("http://127.0.0.1:9")
    sampler._poller.close()
    for sampled in (True, False):
        parent = SpanContext("a" * 32, "b" * 16, sampled)
        assert sampler.decides("a" * 32, parent) is sampled


def test_local_rules_are_those_of_aws_s_manifests():
    """Fixed target first, then the rate; the default rule for the rest."""
    manifest = {
        "version": 2,
        "rules": [
            {"host": "*", "http_method": "POST", "url_path": "/x/*", "fixed_target": 0, "rate": 1}
        ],
        "default": {"fixed_target": 2, "rate": 0},
    }
    rules = LocalRules(manifest)

    assert rules.decides(Asked(method="POST", path="/x/1"), 1.0, 0.5)
    assert [rules.decides(ASKED, 1.0, 0.5) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    "manifest",
    [
        {"version": 3, "default": {"fixed_target": 1, "rate": 0}},
        {"version": 2},
        {"version": 2, "default": {"fixed_target": -1, "rate": 0}},
        {"version": 2, "default": {"fixed_target": 1, "rate": 2}},
        {"version": 2, "default": {"fixed_target": 1, "rate": 0}, "rules": [{"rate": 1}]},
    ],
)
def test_a_manifest_that_is_none_is_an_error(manifest):
    """It says which member is missing."""
    with pytest.raises(ConfigurationError, match="sampling_rules"):
        LocalRules(manifest)


def test_the_variables_of_opentelemetry_are_understood(monkeypatch):
    """AWS's distribution reads the same two."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "xray")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://h:2000,polling_interval=360")

    found = load({})

    assert found["trace.sampler"] == "xray"
    assert found["trace.xray_endpoint"] == "http://h:2000"
    assert found["trace.xray_polling_interval"] == 360


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(sorted(RULE)), _json), _json)
def test_any_rule_is_understood_or_passed_over(members, target):
    """A server of another version must not end a thread."""
    found = Rule.of({"SamplingRule": RULE | members})

    if found is not None:
        found.is_for(ASKED)
        found.decides(1.0, 0.5)
        if isinstance(target, dict):
            found.take_target(target)
    assert Rule.of(members) is None


@settings(max_examples=EXAMPLES)
@given(st.text("a*?B", max_size=12), st.text("aAbB", min_size=1, max_size=12))
def test_a_pattern_matches_as_the_sdk_has_it(pattern, text):
    """AWS's own function is the oracle."""
    oracle = pytest.importorskip("aws_xray_sdk.core.utils.search_pattern")

    assert matches(pattern, text) == oracle.wildcard_match(pattern, text)


def test_what_an_instrumentation_of_opentelemetry_says_at_the_start_is_asked_about():
    """Its spans begin with method and path, in the older names, too."""
    pytest.importorskip("opentelemetry")
    from opentelemetry.trace import SpanKind

    from clerestory.delivery.road import ROAD
    from clerestory.integrations.opentelemetry.provider import Tracer
    from clerestory.tracing.rules import SpanRules, put_in_force, span_rules

    asked = []

    class Noted(LocalRules):
        def decides(self, told, *_more):
            asked.append(told)
            return False

    sampler = XraySampler("http://127.0.0.1:9", service="shop")
    sampler._poller.close()
    sampler.local = Noted()
    ROAD.ensure()  # the first span would start it, which puts other rules in force
    before = span_rules()
    put_in_force(SpanRules(sampler=sampler))
    try:
        for names in (("http.method", "http.target"), ("http.request.method", "url.path")):
            told = dict(zip(names, ("GET", "/x?a=b"), strict=True))
            Tracer("t").start_span("GET", kind=SpanKind.SERVER, attributes=told)
    finally:
        put_in_force(before)

    assert asked == [Asked(service="shop", method="GET", path="/x")] * 2
