"""`xray_recorder`: what it tells in good order, and what becomes of bad."""

import asyncio
import inspect
import threading

import pytest

from clerestory import get_logger, span
from clerestory.integrations.xray import stack
from clerestory.model.errors import ConfigurationError
from clerestory.testing import capture
from clerestory.wire.xray.document import document_of
from clerestory.xray import (
    AsyncContext,
    SegmentNameMissingException,
    SegmentNotFoundException,
    XRayRecorder,
)

TRACE = "1-5759e988-bd862e3fe1be46a994272793"


@pytest.fixture
def recorder():
    stack.MISUSES.clear()
    one = XRayRecorder("1.2")
    one.configure(service="shop", sampling=False)
    yield one
    one.clear_trace_entities()


@pytest.fixture
def told():
    """Return the documents that were told, by name."""
    with capture() as caught:

        def documents():
            spans = [one for one in caught.records if one.get("kind") == "span"]
            return {one["message"]: document_of(one, {}) for one in spans}

        yield documents


# -- in good order ---------------------------------------------------------------------------------


def test_a_segment_tells_what_it_was_told(recorder, told):
    """Every method, as the document has it."""
    segment = recorder.begin_segment("shop", traceid=TRACE, parent_id="53995c3f42cd8ad8")
    segment.set_user("u1")
    segment.put_http_meta("url", "http://shop/x")
    segment.put_http_meta("status", "503")
    recorder.put_annotation("order", 7)
    recorder.put_metadata("basket", {"items": [1, 2]}, "shop")
    recorder.put_metadata("plain", True)
    recorder.end_segment(segment.start_time + 1.5)

    found = told()["shop"]
    assert (found["trace_id"], found["parent_id"]) == (TRACE, "53995c3f42cd8ad8")
    assert found["user"] == "u1"
    assert found["http"] == {"request": {"url": "http://shop/x"}, "response": {"status": 503}}
    assert found["fault"] is True
    assert found["annotations"] == {"order": 7}
    assert found["metadata"] == {"shop": {"basket": {"items": [1, 2]}}, "default": {"plain": True}}
    assert found["aws"]["xray"] == {"sdk": "clerestory", "sdk_version": "1.2"}
    assert found["service"]["runtime"]
    assert found["end_time"] - found["start_time"] == pytest.approx(1.5)
    assert recorder.misuses == {}


def test_subsegments_are_inside_of_what_was_open(recorder, told):
    """Namespaces and SQL, too."""
    with recorder.in_segment("shop") as segment:
        with recorder.in_subsegment("outer") as outer:
            inner = recorder.begin_subsegment("db", namespace="remote")
            inner.set_sql({"sanitized_query": "SELECT 1", "database_type": "pg"})
            recorder.end_subsegment()
        recorder.begin_subsegment("next")
        recorder.end_subsegment()

    found = told()
    assert found["outer"]["parent_id"] == found["next"]["parent_id"] == segment.id
    assert found["db"]["parent_id"] == outer.id
    assert (found["db"]["namespace"], found["outer"]["namespace"]) == ("remote", "local")
    assert found["db"]["sql"] == {"sanitized_query": "SELECT 1", "database_type": "pg"}
    assert {one["trace_id"] for one in found.values()} == {segment.trace_id}


def test_an_exception_is_told_once_and_named_further_out(recorder, told):
    """By its id, as X-Ray's page about documents has it."""
    with pytest.raises(KeyError), recorder.in_segment("shop"), recorder.in_subsegment("inner"):
        raise KeyError("x")

    found = told()
    (told_once,) = found["inner"]["cause"]["exceptions"]
    assert (told_once["type"], told_once["message"]) == ("KeyError", "'x'")
    assert told_once["stack"][-1]["label"].startswith("test_an_exception")
    assert found["shop"]["cause"] == told_once["id"]
    assert found["shop"]["fault"] is found["inner"]["fault"] is True


def test_a_function_gives_and_raises_what_it_did(recorder, told):
    """Plain or async, with and without a name."""

    @recorder.capture("named")
    def add(one, two):
        return one + two

    @recorder.capture_async()
    async def wait(text):
        await asyncio.sleep(0)
        recorder.put_annotation("text", text)
        return text

    with recorder.in_segment("shop"):
        assert add(1, two=2) == 3
        assert asyncio.run(wait("a")) == "a"
        with pytest.raises(TypeError):
            add(1, "x")

    found = told()
    assert found["wait"]["annotations"] == {"text": "a"}
    assert found["named"]["cause"]["exceptions"][0]["type"] == "TypeError"
    assert inspect.iscoroutinefunction(wait)
    assert add.__name__ == "add"


def test_tasks_never_see_each_other_s_subsegments(recorder, told):
    """AWS's own storage needs an event loop's task factory for that."""

    async def work(number):
        async with recorder.in_subsegment_async(f"task {number}"):
            await asyncio.sleep(0.001 * (3 - number))
            async with recorder.in_subsegment_async(f"inside {number}"):
                await asyncio.sleep(0)

    async def main():
        async with recorder.in_segment_async("shop"):
            await asyncio.gather(*(work(number) for number in range(3)))

    asyncio.run(main())

    found = told()
    for number in range(3):
        assert found[f"task {number}"]["parent_id"] == found["shop"]["id"]
        assert found[f"inside {number}"]["parent_id"] == found[f"task {number}"]["id"]


def test_a_thread_can_be_handed_the_segment(recorder, told):
    """As with AWS's SDK; a thread that clerestory follows has it by itself."""
    with recorder.in_segment("shop") as segment:

        def work():
            recorder.set_trace_entity(segment)
            with recorder.in_subsegment("in thread"):
                pass
            recorder.clear_trace_entities()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert told()["in thread"]["parent_id"] == segment.id


def test_records_and_spans_inside_carry_the_ids(recorder, told):
    """A log line and a span of ours, and a subsegment inside that."""
    with capture() as caught, recorder.in_segment("shop") as segment:
        get_logger("t").info("hello")
        with span("ours") as ours, recorder.in_subsegment("part") as part:
            pass
        get_logger("t").info("again")

    trace = segment.trace_id.replace("-", "")[1:]
    lines = [one for one in caught.records if one.get("kind") != "span"]
    assert [one["span_id"] for one in lines] == [segment.id] * 2
    assert ours.parent_span_id == segment.id
    assert part.parent_id == ours.span_id
    assert {one["trace_id"] for one in caught.records} == {trace}


def test_a_subsegment_may_be_inside_of_a_span_of_ours(recorder, told):
    """So that programs whose requests clerestory records need no middleware of X-Ray's."""
    with span("request", kind="server") as request, recorder.in_subsegment("part") as part:
        part.put_annotation("a", 1)

    assert told()["part"]["parent_id"] == request.span_id
    assert told()["part"]["annotations"] == {"a": 1}


def test_what_is_not_sampled_is_silent(recorder, told):
    """Neither segment nor subsegments; everything can be called."""
    with recorder.in_segment("shop", sampling=0) as segment:
        segment.set_user("u")
        with recorder.in_subsegment("part") as part:
            part.put_metadata("k", "v")
        assert not recorder.is_sampled()
    with recorder.in_segment("shop2"):
        recorder.begin_subsegment_without_sampling("left out")
        with recorder.in_subsegment("inside"):
            pass
        recorder.end_subsegment()

    assert set(told()) == {"shop2"}


def test_a_rule_s_name_is_told(recorder, told):
    """X-Ray counts by it."""
    recorder.configure(sampling=True)
    recorder.sampler = type("Always", (), {"should_trace": lambda _self, asked: "the rule"})()

    with recorder.in_segment("shop"):
        pass

    assert told()["shop"]["aws"]["xray"]["sampling_rule_name"] == "the rule"


# -- in bad order ----------------------------------------------------------------------------------


def test_a_segment_in_place_of_one_that_nobody_ended_ends_it(recorder, told):
    """Else a thread's traces would grow for ever; AWS's SDK forgets the first."""
    first = recorder.begin_segment("first")
    recorder.begin_subsegment("part")
    second = recorder.begin_segment("second")
    recorder.end_segment()

    assert set(told()) == {"first", "part", "second"}
    assert first.trace_id != second.trace_id
    assert recorder.misuses["segment_in_segment"] == 1
    assert recorder.misuses["never_ended"] == 1
    assert stack.opened() == ()


def test_ending_the_segment_ends_what_is_inside_of_it(recorder, told):
    """AWS's SDK sends nothing at all then."""
    recorder.begin_segment("shop")
    recorder.begin_subsegment("never ended").put_metadata("key", 1, "namespace")
    recorder.end_segment()

    assert told()["never ended"]["metadata"] == {"namespace": {"key": 1}}
    assert "shop" in told()
    assert recorder.misuses == {"never_ended": 1}


def test_nothing_that_is_called_too_late_raises(recorder, told):
    """It is counted, and told once in the log."""
    segment = recorder.begin_segment("shop")
    recorder.end_segment()
    segment.put_annotation("late", 1)
    segment.close()
    recorder.end_segment()
    recorder.end_subsegment()
    recorder.put_metadata("a", 1)
    assert recorder.current_segment() is None
    recorder.begin_subsegment("nowhere").put_annotation("a", 1)

    assert set(told()) == {"shop"}
    assert recorder.misuses["told_after_end"] == 1
    assert recorder.misuses["ended_twice"] == 1
    assert recorder.misuses["no_subsegment"] == 1
    assert recorder.misuses["no_segment"] >= 3


def test_what_x_ray_would_not_take_is_left_out(recorder, told):
    """Keys, values, namespaces and names that it does not allow."""
    with recorder.in_segment("sh<o>p?") as segment:
        segment.put_annotation("a b", 1)
        segment.put_annotation("list", [1])
        segment.put_metadata("k", 1, "AWS.x")
        segment.put_http_meta("unknown", 1)
        segment.put_http_meta("status", "none")
        segment.put_metadata("odd", object(), "n")

    found = told()["shop"]
    assert "annotations" not in found
    assert set(found["metadata"]) == {"n"}
    assert recorder.misuses == {"annotation": 2, "metadata": 1, "http_meta": 2}


@pytest.mark.parametrize("given", ["", "x", "1-2-3", "5759e988bd862e3fe1be46a994272793"])
def test_an_id_that_is_none_is_as_if_it_were_not_given(recorder, told, given):
    """It comes from a header that anybody can write."""
    with recorder.in_segment("shop", traceid=given, parent_id="zz"):
        pass

    assert told()["shop"]["trace_id"].startswith("1-")
    assert "parent_id" not in told()["shop"]
    assert recorder.misuses["ids"] == 1


def test_an_exception_without_room_for_a_mark_is_told(recorder, told):
    """Some have slots, some raise when they are asked for their text."""

    class OddError(Exception):
        def __str__(self):
            raise RuntimeError

        def __setattr__(self, name, value):
            raise AttributeError(name)

    with pytest.raises(OddError), recorder.in_segment("shop"):
        raise OddError

    assert told()["shop"]["cause"]["exceptions"][0]["type"] == "OddError"


# -- set-up ----------------------------------------------------------------------------------------


def test_without_a_segment_it_is_as_configured(recorder, monkeypatch):
    """RUNTIME_ERROR raises, as with AWS's SDK; the others go on."""
    recorder.configure(context_missing="IGNORE_ERROR")
    assert recorder.current_subsegment() is None
    assert recorder.misuses == {}
    recorder.configure(context_missing="RUNTIME_ERROR")
    with pytest.raises(SegmentNotFoundException):
        recorder.begin_subsegment("x")
    monkeypatch.setenv("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR")
    recorder.configure(context_missing="RUNTIME_ERROR")
    assert recorder.context_missing == "LOG_ERROR"


def test_the_variable_turns_it_off(told, monkeypatch):
    """AWS_XRAY_SDK_ENABLED=false, as in programs' own tests."""
    monkeypatch.setenv("AWS_XRAY_SDK_ENABLED", "false")
    recorder = XRayRecorder()

    with recorder.in_segment("shop"), recorder.in_subsegment("part"):
        pass

    assert told() == {}


def test_a_segment_needs_a_name():
    """Its own, or that of the service."""
    with pytest.raises(SegmentNameMissingException):
        XRayRecorder().begin_segment(sampling=1)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"servce": "x"}, "did you mean 'service'"),
        ({"emitter": object()}, "xray\\+daemon"),
        ({"streaming": object()}, "as soon as it ends"),
        ({"context": object()}, "by themselves"),
        ({"plugins": ("LambdaPlugin",)}, "EC2Plugin"),
        ({"context_missing": "IGNORE"}, "IGNORE_ERROR"),
        ({"daemon_address": "nowhere"}, "HOST:PORT"),
        ({"max_trace_back": -1}, "max_trace_back"),
        ({"dynamic_naming": 7}, "get_name"),
        ({"sampler": 7}, "should_trace"),
        ({"sampling_rules": {"version": 9}}, "version"),
    ],
)
def test_an_option_is_honoured_or_an_error(recorder, options, what):
    """A set-up that means nothing would be found out when a trace is missing."""
    with pytest.raises(ConfigurationError, match=what):
        recorder.configure(**options)


def test_the_options_of_awss_recorder_are_all_known(recorder):
    """Its signature is the list."""
    theirs = pytest.importorskip("aws_xray_sdk.core.recorder")
    names = set(inspect.signature(theirs.AWSXRayRecorder.configure).parameters) - {"self"}

    for name in names:
        recorder.configure(**{name: None})
    recorder.configure(context=AsyncContext(), streaming_threshold=30, stream_sql=True)


def test_ecs_is_told_as_the_plugin_has_it(recorder, told):
    """Origin and container."""
    recorder.configure(plugins=("ecs_plugin",))
    with recorder.in_segment("shop"):
        pass
    recorder.configure(plugins=())
    with recorder.in_segment("bare"):
        pass

    assert told()["shop"]["origin"] == "AWS::ECS::Container"
    assert told()["shop"]["aws"]["ecs"]["container"]
    assert "origin" not in told()["bare"]


def test_a_call_that_a_patch_of_somebody_s_records_tells_what_went_in_and_out(recorder, told):
    """`record_subsegment` is what patches of other packages call."""

    def add_meta(subsegment, return_value, exception, **_more):
        subsegment.put_metadata("out", return_value or type(exception).__name__)

    def call(*args, meta=add_meta):
        return recorder.record_subsegment(int, None, args, {}, f"int {args[0]}", "remote", meta)

    with recorder.in_segment("shop"):
        assert call("7") == 7
        try:
            raise KeyError
        except KeyError:
            assert call("8", meta=None) == 8
        with pytest.raises(ValueError, match="invalid literal"):
            call("x")
        with pytest.raises(ValueError, match="invalid literal"):
            call("y", meta=None)

    found = told()
    assert found["int 7"]["metadata"] == {"default": {"out": 7}}
    assert "cause" not in found["int 8"]
    assert found["int x"]["metadata"] == {"default": {"out": "ValueError"}}
    assert found["int y"]["cause"]["exceptions"][0]["type"] == "ValueError"


@pytest.mark.parametrize(
    "odd", [None, -1, 2**80, float("nan"), "x", object(), [], b"\xff", {"a": {}}]
)
def test_whatever_is_told_nothing_raises(recorder, told, odd):
    """AWS's SDK raises for some of it, in the middle of a request."""
    with recorder.in_segment("shop") as segment:
        segment.put_http_meta("status", odd)
        segment.put_http_meta("url", odd)
        segment.put_http_meta(str(odd), 1)
        segment.apply_status_code(odd)
        segment.put_annotation(odd, odd)
        segment.put_metadata(odd, odd, odd)
        segment.put_metadata("k", odd)
        segment.set_user(odd)
        segment.set_aws(odd)
        segment.set_service(odd)
        segment.start_time = odd
        with recorder.in_subsegment(odd) as part:
            part.set_sql(odd)
            part.namespace = odd
        recorder.set_trace_entity(odd)
        recorder.set_trace_entity(segment)
        recorder.end_segment(odd)

    assert told()["shop"]["id"] == segment.id
