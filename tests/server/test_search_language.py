"""The search language: the shared table of cases, and that no text breaks the parser."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.model.errors import QueryError
from clerestory.server.query.parser import parse
from clerestory.server.query.sql import condition_of
from clerestory.server.query.tree import shape, terms

CASES = json.loads((Path(__file__).parents[1] / "data" / "search_cases.json").read_text())
EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "2000"))
ALPHABET = st.sampled_from(
    [*list('ab1 .:=!<>()"\\-,|*\n\tü\u3000\x00'), "or ", "not ", "level", "has:"]
)


@pytest.mark.parametrize("case", CASES, ids=[repr(case["q"]) for case in CASES])
def test_a_search_means_what_the_shared_table_says(case):
    """The page and the server must read a search alike."""
    if not case["ok"]:
        with pytest.raises(QueryError) as caught:
            parse(case["q"])
        assert caught.value.position == case["position"]
        return
    tree = parse(case["q"])
    assert list(terms(tree)) == case["terms"]
    assert shape(tree) == case["shape"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(st.text(), st.lists(ALPHABET).map("".join)))
def test_any_text_is_a_search_or_a_query_error_that_points_into_it(text):
    """Whatever is typed, nothing crashes."""
    try:
        condition = condition_of(parse(text))
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert error.length >= 1
    else:
        assert condition.sql


@pytest.mark.parametrize(
    ("text", "position"),
    [("level>=blue", 7), ("size>big", 5), ("service>a", 0), ("has>5", 0), ("n>1e999", 2)],
)
def test_a_value_that_does_not_fit_its_field_is_pointed_at(text, position):
    """An empty result would hide the mistake."""
    with pytest.raises(QueryError) as caught:
        condition_of(parse(text))
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("duration>250ms", 0.25),
        ("duration_ms>1.5s", 1500.0),
        ("latency.ns>1us", 1000.0),
        ("wait>2m", 120.0),
        ("size>10kb", 10_000),
        ("size>4MiB", 4 * 2**20),
        ("n>-1.5e3", -1500.0),
    ],
)
def test_durations_and_sizes_become_numbers(text, number):
    """`duration_ms>1.5s` must compare like with like."""
    values = condition_of(parse(text)).parameters.values()
    assert [value for value in values if not isinstance(value, str)] == [pytest.approx(number)]
