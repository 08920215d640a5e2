"""Syslog messages byte by byte."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.wire import syslog
from tests.doubles.syslog_messages import PARSERS, next_frame, parse_rfc5424
from tests.support.batches import SPOOL, line

FORM = syslog.Form(host="web-1", app="shop", process="42")
ANY_FIELDS = st.dictionaries(
    st.text(max_size=50), st.text(max_size=100) | st.integers() | st.lists(st.none()), max_size=30
)


def test_a_message_is_these_bytes():
    """Golden bytes of RFC 5424."""
    one = line("hi", level="WARNING", user='a"]\\b')

    assert syslog.message(one, "s:7", FORM) == (
        b"<12>1 2026-11-22T02:33:43.428724Z web-1 shop 42 - "
        b'[clerestory@32473 logger="shop.orders" module="main" funcName="order" lineno="42" '
        b'user="a\\"\\]\\\\b" _cid="s:7"] hi'
    )


def test_a_byte_order_mark_stands_before_the_text():
    """As RFC 5424 wants it of UTF-8, for receivers that look for it."""
    form = syslog.Form(bom=True)

    assert syslog.message(line("é"), "s:7", form).endswith(b'"] \xef\xbb\xbf\xc3\xa9')


@settings(deadline=None)
@given(
    st.text(max_size=200),
    ANY_FIELDS,
    st.sampled_from(["INFO", "EMERGENCY", "odd level"]),
    st.integers(480, 3000),
    st.sampled_from(["rfc5424", "rfc3164"]),
)
def test_whatever_a_record_holds_a_message_keeps_its_form_and_length(
    text, fields, level, bytes_max, form_name
):
    """As a parser sees it that was written from the RFCs; a frame says its length."""
    own = {"message", "level", "at", "timestamp", "exception", "stack"}
    kept = {name: value for name, value in fields.items() if name not in own}
    form = syslog.Form(
        format=form_name, host="h" * min(255, bytes_max // 4), app="a" * 48, process="1" * 32,
        bytes_max=bytes_max,
    )  # fmt: skip

    found = syslog.message(line(text, level=level, **kept), f"{SPOOL}:{2**63}", form)

    parsed = PARSERS[form_name](found)
    assert parsed.data["_cid"] == f"{SPOOL}:{2**63}"
    assert len(found) <= bytes_max
    assert next_frame(syslog.frame(found) + b"5 ", bytes_max) == (found, b"5 ")


@settings(deadline=None)
@given(st.text(max_size=200), ANY_FIELDS)
def test_what_fits_is_read_back_as_it_was(text, fields):
    """Text and parameters; names as far as the grammar has them."""
    kept = {f"f_{number}": value for number, value in enumerate(fields.values())}

    found = parse_rfc5424(syslog.message(line(text, **kept), "s:7", FORM))

    assert found.text == text.removeprefix("\ufeff").replace("\0", "\u2400")
    for name, value in kept.items():
        wanted = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        assert found.data[name] == wanted.replace("\0", "\u2400")


@pytest.mark.parametrize("form_name", ["rfc5424", "rfc3164"])
def test_a_record_with_more_fields_than_fit_says_how_much_is_missing(form_name):
    """Names cannot be shortened; the identity stays, and what fits."""
    fields: dict[str, Any] = {f"a_field_with_a_long_name_{n}": n for n in range(300)}
    one = line("m", **fields)
    form = syslog.Form(format=form_name, bytes_max=2048)

    found = syslog.message(one, "s:7", form)

    said = found.decode().partition("_truncated_bytes=")[2].strip('"').split(" ")[0]
    assert 1000 < int(said.strip('"')) < len(one)
    assert 1900 < len(found) <= 2048
    assert b"a_field_with_a_long_name_9" in found
    assert PARSERS[form_name](found).data["_cid"] == "s:7"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_header_field_is_printable_ascii(text):
    """A service with a strange name does not break the header."""
    assert re.fullmatch(r"[\x21-\x7e]{1,48}", syslog.header_text(text, 48))


@pytest.mark.parametrize(
    ("level", "priority"), [("DEBUG", 15), ("INFO", 14), ("ERROR", 11), ("EMERGENCY", 8)]
)
def test_priority_is_facility_and_severity(level, priority):
    """Facility user is 1."""
    assert syslog.message(line(level=level), "s:7", FORM).startswith(b"<%d>1 " % priority)
