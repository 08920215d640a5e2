"""Records cut to fit."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.wire.shorten import shorten

HEAD = b'{"timestamp":1795314823428724290,"level":"INFO","logger":"shop"'


def test_a_line_that_fits_is_returned_as_it_is():
    """To the very limit."""
    assert shorten(b'{"a":1}\n', 8) == b'{"a":1}\n'


def test_the_largest_text_is_cut_and_the_rest_kept():
    """Fields by which a record is found are small."""
    line = HEAD + b',"message":"' + b"x" * 1000 + b'","user":"u"}\n'

    short = shorten(line, 300)

    assert len(short) <= 300
    assert short.startswith(HEAD)
    assert short.endswith(b"\n")
    fields = json.loads(short)
    assert fields["message"] == "x" * len(fields["message"])
    assert len(fields["message"]) > 150
    assert fields["user"] == "u"
    assert fields["_truncated_bytes"] == 1000 - len(fields["message"])


def test_a_large_value_that_is_no_text_is_cut_as_text():
    """A list cut in two would be no JSON."""
    line = HEAD + b',"message":"m","frames":[' + b'"f",' * 500 + b'"f"]}'

    fields = json.loads(shorten(line, 400))

    assert fields["message"] == "m"
    assert fields["frames"].startswith('["f","f"')


def test_several_texts_are_cut_where_one_is_not_enough():
    """The smallest cut that fits."""
    line = HEAD + b',"a":"%b","b":"%b"}' % (b"a" * 500, b"b" * 400)

    fields = json.loads(shorten(line, 200))

    assert fields["a"] == ""
    assert set(fields["b"]) == {"b"}


def test_what_is_no_object_becomes_one():
    """A destination can send it like any other."""
    fields = json.loads(shorten(b"[" + b"1," * 500 + b"1]", 200))

    assert fields["message"].startswith("[1,1,")


@given(st.binary(min_size=401, max_size=2000), st.booleans())
def test_any_bytes_become_an_object_that_fits(content, looks_like_one):
    """A torn or foreign line must not stop the courier for ever."""
    if looks_like_one:
        content = b'{"timestamp":1,"a":"' + content + b'"}'

    short = shorten(content, 400)

    assert len(short) <= 400
    assert isinstance(json.loads(short), dict)


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=400), max_size=6),
    st.integers(min_value=400, max_value=1500),
)
def test_whatever_is_cut_is_valid_and_fits(fields, bytes_max):
    """Escapes, surrogate pairs and characters of several bytes are never cut in two."""
    line = msgspec.json.encode({"timestamp": 1795314823428724290, **fields})

    short = shorten(line, bytes_max)

    assert len(short) <= bytes_max
    kept = json.loads(short)
    for name, value in kept.items():
        if name in fields and name != "_truncated_bytes":
            assert str(fields[name]).startswith(str(value))


@pytest.mark.parametrize("character", ["ä", "日", "😀", '"', "\\", "\n"])
def test_as_much_as_fits_is_kept(character):
    """However many bytes a character takes when it is encoded."""
    line = msgspec.json.encode({"message": character * 2000})

    short = shorten(line, 1000)

    assert 980 < len(short) <= 1000
