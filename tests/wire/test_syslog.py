"""Syslog messages byte by byte."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.wire import syslog
from tests.support.batches import line

FORM = syslog.Form(host="web-1", app="shop", process="42")
MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) "
    rb'(\[[^ =\]"]+(?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) (.*)',
    re.DOTALL,
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
    st.dictionaries(st.text(max_size=50), st.text(max_size=100) | st.integers(), max_size=5),
    st.integers(480, 3000),
)
def test_whatever_a_record_holds_a_message_keeps_its_form_and_length(text, fields, bytes_max):
    """The grammar of RFC 5424, as a regular expression; a frame says its length."""
    own = {"message", "level", "at", "timestamp", "exception", "stack"}
    kept = {name: value for name, value in fields.items() if name not in own}
    form = syslog.Form(host="h", app="a", process="1", bytes_max=bytes_max)

    found = syslog.message(line(text, **kept), "s:7", form)

    assert len(found) <= bytes_max
    assert b"\0" not in found
    matched = MESSAGE.fullmatch(found)
    if len(found) < bytes_max - 4:
        assert matched
        assert matched[7].endswith(b' _cid="s:7"]')
    size, _, content = syslog.frame(found).partition(b" ")
    assert (int(size), content) == (len(found), found)


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
