"""`span()`: what its line says, and what goes on inside it."""

import asyncio
import gc
import json
import weakref

import pytest

import clerestory
from clerestory import bind, get_logger, request_context, span
from clerestory.testing import capture
from clerestory.trace import current_span, extract, inject
from clerestory.tracing.rules import SpanRules, put_in_force, span_rules
from clerestory.tracing.samplers import Sampler

log = get_logger("spans")


@pytest.fixture(autouse=True)
def rules():
    before = span_rules()
    put_in_force(SpanRules())
    yield
    put_in_force(before)


def spans_of(caught):
    return {one["message"]: one for one in caught.records if one.get("kind") == "span"}


def logs_of(caught):
    return {one["message"]: one for one in caught.records if "kind" not in one}


def test_a_span_is_one_line_of_this_form():
    """The contract with everybody who reads it; what all spans of a call share stands first."""
    with capture() as caught, span("checkout", order=7, sku="abc") as one:
        pass

    (record,) = caught.records
    assert record.pop("timestamp") == one.start_ns
    assert record.pop("duration_ns") > 0
    assert record == {
        "level": "INFO",
        "logger": __name__,
        "kind": "span",
        "span.kind": "internal",
        "span.status": "unset",
        "message": "checkout",
        "trace_id": one.trace_id,
        "span_id": one.span_id,
        "order": 7,
        "sku": "abc",
    }
    assert len(bytes.fromhex(one.trace_id)) == 16
    assert len(bytes.fromhex(one.span_id)) == 8


def test_kind_follows_the_head_of_the_line():
    """Selection and store tell spans from logs by the first bytes, without parsing."""
    with capture() as caught:
        for _ in range(2):
            with span("a", x=1):
                pass
        with span("b", message="taken", duration_ns=1):
            pass
        segments = caught._pipeline.spool.segments
        text = segments[0].read(0, segments[0].end())

    head = b',"level":"INFO","logger":"' + __name__.encode() + b'","kind":"span",'
    assert [line[32:].startswith(head) for line in text.splitlines()] == [True] * 3


def test_spans_nest_and_logs_carry_the_innermost():
    """From a log to its span and back."""
    with capture() as caught:
        with span("outer") as outer:
            log.info("in outer")
            with span("inner") as inner:
                log.info("in inner")
        log.info("outside")

    logs, spans = logs_of(caught), spans_of(caught)
    assert logs["in outer"]["span_id"] == outer.span_id
    assert logs["in inner"]["span_id"] == inner.span_id == spans["inner"]["span_id"]
    assert {one["trace_id"] for one in spans.values()} == {outer.trace_id}
    assert spans["inner"]["parent_span_id"] == outer.span_id
    assert "parent_span_id" not in spans["outer"]
    assert "trace_id" not in logs["outside"]


def test_records_of_the_standard_library_carry_the_ids_too():
    """Most records of a program are made by its libraries."""
    import logging

    with capture() as caught, span("outer") as outer:
        logging.getLogger("library").warning("from a library %d", 7)

    assert logs_of(caught)["from a library 7"]["trace_id"] == outer.trace_id


def test_fields_of_the_request_are_on_its_spans():
    """A user's requests are found by the same field in logs and traces."""
    with capture() as caught, request_context(user="u1"), span("outer", sku=1):
        bind(step="two")
        with span("inner"):
            pass

    spans = spans_of(caught)
    assert (spans["outer"]["user"], spans["outer"]["sku"]) == ("u1", 1)
    assert (spans["inner"]["user"], spans["inner"]["step"]) == ("u1", "two")


def test_an_exception_makes_an_error_and_is_logged_once():
    """In the innermost span that it leaves, with its frames; it goes on to the caller."""
    with capture() as caught, pytest.raises(ZeroDivisionError), span("outer"), span("inner"):
        1 / 0  # noqa: B018

    spans = spans_of(caught)
    (record,) = logs_of(caught).values()
    assert [spans[name]["span.status"] for name in ("inner", "outer")] == ["error", "error"]
    assert spans["inner"]["level"] == "ERROR"
    assert spans["inner"]["span.status_message"] == "ZeroDivisionError: division by zero"
    assert spans["inner"]["error.type"] == "ZeroDivisionError"
    assert (record["level"], record["exception.type"]) == ("ERROR", "ZeroDivisionError")
    assert record["span_id"] == spans["inner"]["span_id"]
    assert record["funcName"] == "test_an_exception_makes_an_error_and_is_logged_once"
    assert record["exception"]["frames"][0]["code"].startswith("1 / 0")


def test_an_exception_that_is_raised_again_in_another_trace_is_logged_again():
    """Some programs keep one object and raise it each time."""
    error = ValueError("always the same")

    with capture() as caught:
        for _ in range(2):
            with pytest.raises(ValueError, match="always"), span("outer"):
                raise error

    assert len([one for one in caught.records if "kind" not in one]) == 2


@pytest.mark.parametrize("error", [GeneratorExit, KeyboardInterrupt, asyncio.CancelledError])
def test_the_end_of_the_program_or_of_a_task_is_no_error(error):
    """Nobody made a mistake."""
    with capture() as caught, pytest.raises(error), span("outer"):
        raise error

    assert spans_of(caught)["outer"]["span.status"] == "unset"
    assert logs_of(caught) == {}


def test_names_that_the_line_needs_are_kept_under_another():
    """No attribute is lost, and none breaks the line."""
    with (
        capture() as caught,
        request_context(duration_ns="mine"),
        span("a", level="x", span_id="y", message="z") as one,
    ):
        one.set_attribute("span.kind", "k")

    record = spans_of(caught)["a"]
    assert record["span_id"] == one.span_id
    assert {key: value for key, value in record.items() if key.startswith("field.")} == {
        "field.duration_ns": "mine",
        "field.level": "x",
        "field.message": "z",
        "field.span.kind": "k",
        "field.span_id": "y",
    }
    assert isinstance(record["duration_ns"], int)


def test_secrets_and_hostile_values_are_treated_as_in_a_log_call():
    """One rule for all records."""

    class Hostile:
        def __repr__(self):
            raise RuntimeError("no")

    with capture() as caught, span("a", password="hunter2", odd=Hostile(), far=2**70):
        pass

    record = spans_of(caught)["a"]
    assert record["password"] == "[redacted:password]"
    assert "unrepresentable" in record["odd"]
    assert record["far"] == 2**70


def test_what_is_too_much_is_counted():
    """Limits hold, and say so."""
    put_in_force(SpanRules(attributes_max=2, events_max=1, links_max=1))

    with capture() as caught, span("a") as one:
        for number in range(4):
            one.set_attribute(f"key{number}", number)
            one.add_event("tick", {"n": number})
            one.add_link(one)

    record = spans_of(caught)["a"]
    assert (record["key0"], record["key1"]) == (0, 1)
    assert [event["attributes"] for event in record["span.events"]] == [{"n": 0}]
    assert len(record["span.links"]) == 1
    assert record["span.dropped"] == {"attributes": 2, "events": 3, "links": 3}


def test_a_status_that_was_set_stays():
    """`ok` is final, as OpenTelemetry has it."""
    with capture() as caught:
        with span("fine") as one:
            one.set_status("ok")
            one.set_status("error", "too late")
        with span("bad") as one:
            one.set_status("error", "no stock")

    spans = spans_of(caught)
    assert spans["fine"]["span.status"] == "ok"
    assert "span.status_message" not in spans["fine"]
    assert spans["bad"]["span.status_message"] == "no stock"


def test_a_span_ends_once_and_then_takes_nothing():
    """Whoever keeps it cannot change what was told."""
    with capture() as caught:
        with span("a") as one:
            one.end()
            one.set_attribute("late", 1)
        one.end()

    (record,) = caught.records
    assert "late" not in record


@pytest.mark.parametrize(
    ("sampler", "lines"),
    [(Sampler("always_off"), 0), (Sampler("traceidratio", 0.0), 0), (Sampler("always_on"), 3)],
)
def test_a_trace_that_is_not_sampled_leaves_logs_with_its_ids(sampler, lines):
    """Logs are not sampled with it, and still belong together."""
    put_in_force(SpanRules(sampler=sampler))

    with capture() as caught, span("a") as one, span("b") as two, span("c"):
        log.info("hello")

    assert len(spans_of(caught)) == lines
    assert logs_of(caught)["hello"]["trace_id"] == one.trace_id
    assert two.is_recording() is False


def test_the_ratio_holds_over_many_traces():
    """A quarter is a quarter, and the same trace is decided alike everywhere."""
    put_in_force(SpanRules(sampler=Sampler("parentbased_traceidratio", 0.25)))
    other = Sampler("traceidratio", 0.25)
    kept = 0

    with capture():
        for _ in range(4000):
            with span("a") as one:
                kept += one.sampled
                assert one.sampled == other.decides(one.trace_id, None)

    assert 850 < kept < 1150


def test_a_trace_from_elsewhere_goes_on():
    """Its caller is the parent, and decides whether it is recorded."""
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"Traceparent": f"00-{trace}-{parent}-01", "tracestate": "a=1,b=2"}
    with capture() as caught:
        with span("served", kind="server", parent=extract(headers)) as one:
            sent: dict[str, str] = {}
            inject(one, sent)
        off = headers | {"Traceparent": f"00-{trace}-{parent}-00"}
        with span("not recorded", parent=extract(off)):
            pass

    record = spans_of(caught)["served"]
    assert (record["trace_id"], record["parent_span_id"]) == (trace, parent)
    assert (record["span.kind"], record["trace_state"]) == ("server", "a=1,b=2")
    assert sent == {"traceparent": f"00-{trace}-{one.span_id}-01", "tracestate": "a=1,b=2"}
    assert "not recorded" not in spans_of(caught)


def test_links_name_other_spans():
    """A batch has many causes and no parent."""
    with capture() as caught:
        with span("a") as first:
            pass
        with span("b", links=[first]):
            pass

    assert spans_of(caught)["b"]["span.links"] == [
        {"trace_id": first.trace_id, "span_id": first.span_id}
    ]


def test_current_span_is_the_innermost():
    """Code deep inside adds attributes without being handed the span."""
    assert current_span() is None
    with capture() as caught, span("a") as one:
        found = current_span()
        assert found is one
        found.set_attribute("deep", True)
    assert current_span() is None
    assert spans_of(caught)["a"]["deep"] is True


def test_a_function_is_decorated():
    """Each call is a span of its own, with name, result and exceptions as before."""

    @span("charge", provider="acme")
    def charge(amount):
        """Charge a card."""
        one = current_span()
        assert one is not None
        one.set_attribute("amount", amount)
        if amount < 0:
            raise ValueError(amount)
        return amount * 2

    with capture() as caught:
        assert [charge(1), charge(2)] == [2, 4]
        with pytest.raises(ValueError, match="-1"):
            charge(-1)

    records = [one for one in caught.records if one.get("kind") == "span"]
    assert [(one["provider"], one["amount"]) for one in records] == [
        ("acme", 1), ("acme", 2), ("acme", -1),
    ]  # fmt: skip
    assert len({one["span_id"] for one in records}) == 3
    assert charge.__doc__ == "Charge a card."
    assert records[2]["span.status"] == "error"


def test_an_async_function_is_decorated():
    """The span lasts until the coroutine ends; tasks beside it have their own."""

    @span("fetch")
    async def fetch(number):
        mine = current_span()
        await asyncio.sleep(0.001)
        log.info("fetched %d", number)
        assert current_span() is mine
        return number

    async def main():
        return await asyncio.gather(*(fetch(number) for number in range(5)))

    with capture() as caught:
        assert asyncio.run(main()) == list(range(5))

    spans = [one for one in caught.records if one.get("kind") == "span"]
    logs = [one for one in caught.records if one["logger"] == "spans"]
    assert {one["span_id"] for one in spans} == {one["span_id"] for one in logs}
    assert len(spans) == 5
    assert all(one["duration_ns"] > 500_000 for one in spans)


def test_a_generator_is_decorated():
    """Its span is in force inside it only; send, throw, return and close mean what they meant."""

    @span("rows")
    def rows():
        log.info("first step")
        try:
            got = yield 1
        except KeyError:
            got = "thrown"
        log.info("second step")
        yield got
        return "end"

    with capture() as caught:
        steps = rows()
        assert next(steps) == 1
        log.info("outside")
        assert steps.send("sent") == "sent"
        with pytest.raises(StopIteration) as stop:
            next(steps)
        thrown = rows()
        next(thrown)
        assert thrown.throw(KeyError("x")) == "thrown"
        thrown.close()

    logs = logs_of(caught)
    spans = [one for one in caught.records if one.get("kind") == "span"]
    assert stop.value.value == "end"
    assert logs["first step"]["trace_id"]
    assert "trace_id" not in logs["outside"]
    assert [one["span.status"] for one in spans] == ["unset", "unset"]


def test_an_async_generator_is_decorated():
    """As a generator; an exception inside it is its span's."""

    @span("pages")
    async def pages():
        for number in range(3):
            await asyncio.sleep(0)
            log.info("page")
            yield number
        raise LookupError("no more")

    async def main():
        found = []
        with pytest.raises(LookupError):
            async for number in pages():
                log.info("consumer")
                found.append(number)
        return found

    with capture() as caught:
        assert asyncio.run(main()) == [0, 1, 2]

    logs = logs_of(caught)
    assert logs["page"]["span_id"] == spans_of(caught)["pages"]["span_id"]
    assert "span_id" not in logs["consumer"]
    assert spans_of(caught)["pages"]["error.type"] == "LookupError"


def test_a_block_left_in_another_context_harms_nobody():
    """A generator that holds a block may be closed anywhere."""
    import contextvars

    def held():
        with span("held"):
            yield

    with capture() as caught:
        steps = held()
        contextvars.copy_context().run(next, steps)
        steps.close()

    assert "held" in spans_of(caught)


def test_a_span_is_freed_when_it_ends():
    """No cycle: the collector never sees it."""
    gc.disable()
    try:
        with capture(), span("a") as one:
            pass
        reference = weakref.ref(one)
        del one
        assert reference() is None
    finally:
        gc.enable()


def test_a_span_without_any_configuration_starts_the_road(tmp_path):
    """`span` may be the first thing that a program uses."""
    import subprocess
    import sys

    program = (
        "from clerestory import span\n"
        "with span('first', a=1): pass\n"
        "import clerestory; clerestory.flush()\n"
    )
    environment = {
        "CLERESTORY_DESTINATIONS": "file:out.jsonl?kinds=span",
        "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "PYTHONPATH": ":".join(sys.path),
    }
    (tmp_path / "clerestory.yaml").write_text(
        "destinations:\n  - type: file\n    path: out.jsonl\n    kinds: [log, span]\n"
    )
    environment.pop("CLERESTORY_DESTINATIONS")
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, timeout=30
    )

    record = json.loads((tmp_path / "out.jsonl").read_text())
    assert (record["message"], record["kind"], record["a"]) == ("first", "span", 1)


def test_the_front_door_has_it():
    """As documented."""
    assert clerestory.span is span
