"""The header `X-Amzn-Trace-Id`: whatever somebody sends, and what we send."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clerestory.integrations.xray.header import TraceHeader
from clerestory.wire.propagation import xray

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "300"))
ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
_roots = st.from_regex(r"1-[0-9a-f]{8}-[0-9a-f]{24}", fullmatch=True)
_parents = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
_words = st.text("abcXYZ019-_.", min_size=1, max_size=9)


@pytest.mark.parametrize("sampled", [0, 1, "?", None])
def test_a_header_is_read_as_it_was_written(sampled):
    """With what else it says, and without the mark of a load balancer."""
    header = TraceHeader(ROOT, PARENT, sampled, {"Lineage": "a:1"})

    again = TraceHeader.from_header_str(
        "Self=1-67891234-12456789abcdef012345678;" + header.to_header_str()
    )

    assert vars(again) == vars(header)


@settings(max_examples=EXAMPLES)
@given(
    st.none() | _roots,
    st.none() | _parents,
    st.sampled_from([0, 1, "?", None]),
    st.dictionaries(_words, _words, max_size=4),
)
def test_every_header_of_ours_comes_back(root, parent, sampled, data):
    """In whatever combination."""
    header = TraceHeader(root, parent, sampled, data)

    assert vars(TraceHeader.from_header_str(header.to_header_str())) == vars(header)


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=300) | st.lists(st.sampled_from(
    ["Root=", ROOT, ";", "Parent=", PARENT, "Sampled=", "?", "1", "=", "Self=x", "a=b\r\nc", "\0"]
), max_size=20).map("".join))  # fmt: skip
@example("Root=1-5759E988-BD862E3FE1BE46A994272793;Parent=53995C3F42CD8AD8;Sampled=1")
@example("Root;Parent;Sampled;=;==;;")
def test_whatever_is_sent_nothing_raises_and_nothing_is_sent_on(text):
    """It comes from anybody; a line feed in the answer would be a header of theirs."""
    header = TraceHeader.from_header_str(text)
    written = header.to_header_str()
    found = xray.extract({"x-amzn-trace-id": text})

    assert header.sampled in (0, 1, "?", None)
    assert written.isascii()
    assert not set(written) & set("\r\n\0")
    if found is not None:
        assert header.root is not None
        assert header.root.replace("-", "")[1:] == found.trace_id
        assert (header.sampled == 1) == found.sampled
