"""Secrets are masked in lines beside the ids of traces and spans, which are none."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.process.redaction import NameRules, ValueRules
from tests.support.batches import SPAN, TRACE, line, span_line

CARD = "4111111111111111"
IDS = st.one_of(
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.sampled_from(
        ["", "abc", TRACE.upper(), "." * 32, CARD, CARD + "a" * 16, "7" + CARD, "AKIA"]
    ),
)
TEXTS = st.sampled_from(
    ["x", CARD, "password=hunter2", "AKIAIOSFODNN7EXAMPLE", '"trace_id":"', "1"]
)
MEMBERS = st.dictionaries(
    st.sampled_from(["trace_id", "span_id", "parent_span_id"]), IDS, max_size=3
)
LINES = st.one_of(
    st.builds(lambda text, ids: line(text, **ids), TEXTS, MEMBERS),
    st.builds(lambda text, ids: span_line("s", a=text, **ids), TEXTS, MEMBERS),
    st.builds(lambda text, own: span_line(text, span_id=own[:16]), TEXTS, IDS),
    st.just(b""),
)


def masked(*lines):
    text = b"".join(one + b"\n" for one in lines)
    return ValueRules(names=NameRules()).lines(text).split(b"\n")[:-1]


@settings(deadline=None, max_examples=300)
@given(st.lists(LINES, min_size=1, max_size=12))
def test_lines_are_masked_together_as_each_is_alone(lines):
    """What stands beside a line decides how fast its secrets are found, and not which."""
    assert masked(*lines) == [found for one in lines for found in masked(one)]


@settings(deadline=None, max_examples=200)
@given(LINES, LINES, st.integers(0, 20))
def test_a_line_among_many_that_are_alike_is_masked_as_it_is_alone(usual, other, place):
    """Of lines that are alike one is looked at; the odd one is found wherever it stands."""
    lines = [usual] * place + [other] + [usual] * (20 - place)

    assert masked(*lines) == [found for one in lines for found in masked(one)]


@pytest.mark.parametrize("many", [1, 50])
@pytest.mark.parametrize("secret", [CARD, "AKIAIOSFODNN7EXAMPLE"])
def test_a_secret_in_a_span_is_masked(secret, many):
    """Their ids are set aside, and nothing else."""
    (found, *_) = masked(*[span_line("s", note=secret, parent_span_id=SPAN)] * many)

    assert secret not in found.decode()
    assert json.loads(found)["trace_id"] == TRACE


@pytest.mark.parametrize("many", [1, 50])
@pytest.mark.parametrize("odd", [f"{CARD}abcdef.abcdefabc", f"{CARD}-bcdef0abcdefabc", f"a {CARD}"])
def test_what_is_no_id_is_looked_at_wherever_it_stands(odd, many):
    """A member called trace_id may hold anything."""
    good = span_line("s")

    (_, found, *_) = masked(good, *[span_line("s", trace_id=odd)] * many, good)

    assert CARD not in found.decode()


@pytest.mark.parametrize("many", [1, 50])
def test_an_id_that_could_be_the_number_of_a_card_is_kept(many):
    """One id in a thousand could; a span without its parent is lost in its trace."""
    own = {"span_id": CARD, "parent_span_id": CARD, "trace_id": CARD + TRACE[:16]}

    found = masked(*[span_line("s", **own)] * many)

    assert [json.loads(one)["parent_span_id"] for one in found] == [CARD] * many
