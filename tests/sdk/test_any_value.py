"""Generated values: whatever is logged, one line of valid JSON comes of it."""

import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.process.encode import encode_surely
from clerestory.process.redaction import NameRules, ValueRules
from clerestory.process.values import ValueLimits
from clerestory.wire.line import iso_time, with_iso_time

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "500"))
text = st.text(st.characters(exclude_categories=()), max_size=50)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | st.binary(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(text | st.integers(), inner, max_size=5)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=20,
)


@given(fields=st.dictionaries(text, values, max_size=8))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_fields_become_one_valid_line(fields):
    """Encoded, masked and given its ISO time, a record is one line of JSON without NUL."""
    record = {"timestamp": 1795314823428724290, "level": "INFO", "message": "m", **fields}

    line = encode_surely(record, ValueLimits(), 1_000_000)
    masked = ValueRules(NameRules()).lines(line)
    sent = with_iso_time(masked)

    assert line.count(b"\n") == masked.count(b"\n") == 1
    assert b"\0" not in line
    assert "message" in json.loads(sent)
    if "timestamp" not in fields:
        assert json.loads(sent)["timestamp"] == iso_time(1795314823428724290)


@given(lines=st.lists(st.binary(max_size=200).map(lambda b: b.replace(b"\n", b"")), max_size=10))
@settings(max_examples=EXAMPLES, deadline=None)
def test_masking_keeps_the_number_of_lines_whatever_they_hold(lines):
    """A line's number is its identity: masking never adds or removes one."""
    chunk = b"".join(line + b"\n" for line in lines)

    assert ValueRules(NameRules()).lines(chunk).count(b"\n") == len(lines)


SECRETS = (
    "4111 1111 1111 1111",
    "4111111111111111",
    "password=hunter2",
    "pwd: x",
    "https://user:pw@host/",
    "Bearer abcdefghijklmnopqrstuvwxyz",
    "AKIAABCDEFGHIJKLMNOP",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefgh",
    "order 12345 placed",
    "2026-11-22 05:06:07",
    "",
)
said = st.sampled_from(SECRETS) | st.text(st.characters(codec="ascii"), max_size=30)


@given(
    messages=st.lists(said, min_size=1, max_size=4),
    values=st.lists(st.integers(0, 10**17) | said | st.dictionaries(said, said), max_size=3),
    repeats=st.integers(1, 30),
    traced=st.integers(0, 3),
    empty=st.booleans(),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_masking_many_lines_at_once_masks_what_masking_each_alone_does(
    messages, values, repeats, traced, empty
):
    """Lines that differ in digits alone are looked at once; nothing slips through.

    Some have the ids of a trace and some have not; some are left out of the batch and stand empty.
    """
    lines = [b"\n"] * (50 if empty else 0)
    for number in range(repeats):
        for message in messages:
            fields = {"n": number * 7919, **{f"v{at}": value for at, value in enumerate(values)}}
            head = {"timestamp": 1795314823428724290 + number, "level": "INFO", "message": message}
            if traced and number % traced == 0:
                head["trace_id"] = f"{number:032x}"
            lines.append(json.dumps({**head, **fields}, separators=(",", ":")).encode() + b"\n")

    together = ValueRules(NameRules()).lines(b"".join(lines))

    assert together == b"".join(ValueRules(NameRules()).lines(line) for line in lines)


def test_no_id_of_a_trace_is_taken_for_a_card():
    """A record whose id is masked is lost to its trace; a card that stands elsewhere is found."""
    digits = "a4111111111111111bcdef0123456789"
    fields = {"trace_id": digits, "span_id": digits[:16], "parent_span_id": digits[1:17]}
    links = [{"trace_id": digits, "span_id": digits[1:17]}]
    record = {"timestamp": 1795314823428724290, "level": "INFO", "message": "m", **fields}
    line = json.dumps({**record, "span.links": links, "order_id": digits[1:17]}).encode() + b"\n"

    masked = json.loads(ValueRules(NameRules()).lines(line))

    assert {key: masked[key] for key in fields} == fields
    assert masked["span.links"] == links
    assert masked["order_id"] == "[redacted:card-number]"


def test_a_trace_id_that_is_none_is_masked_as_any_other_value():
    """The name alone is no way around the rules."""
    record = {"timestamp": 1795314823428724290, "level": "INFO", "trace_id": "4111 1111 1111 1111"}

    masked = ValueRules(NameRules()).lines(json.dumps(record).encode() + b"\n")

    assert json.loads(masked)["trace_id"] == "[redacted:card-number]"
