"""Damaged datagrams and trace headers: counted or read, never an error that nobody sees."""

import json
import os
import random
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.server.xray.daemon.frames import FrameError, frame_of
from clerestory.server.xray.daemon.receiver import QUEUE_BYTES_MAX, Receiver
from clerestory.server.xray.endpoint import MODEL
from clerestory.server.xray.segments import Services, batches_of, read
from clerestory.wire.propagation import xray
from clerestory.wire.xray.segment import SegmentError
from tests.server.xray.segments import HEADER, new_trace, segment

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "300"))
CALLS = min(EXAMPLES // 20, 2000)
DATAGRAM = HEADER + json.dumps(segment(new_trace(), annotations={"a": 1})).encode()
HEX = "0123456789abcdef"

headers = st.sampled_from([HEADER, HEADER[:-1], b'{"format":"json"}\n', b"\n", b""]) | st.binary(
    max_size=40
)
bodies = st.sampled_from([b"", b"T1S", b"T1U", b"M1", b"{}", b"[", b"null", DATAGRAM[30:]])


@st.composite
def damaged(draw):
    """A good datagram with some bytes changed, cut out or put in."""
    body = bytearray(DATAGRAM)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        put = draw(st.binary(max_size=3))
        body[at : at + draw(st.integers(0, 9))] = put
    return bytes(body)


@settings(max_examples=EXAMPLES)
@given(
    damaged() | st.builds(lambda *parts: b"".join(parts), headers, bodies, st.binary(max_size=9))
)
def test_any_datagram_is_a_frame_or_has_a_reason(datagram):
    """And its document becomes lines of the store, or has a reason, too."""
    try:
        frame = frame_of(datagram)
        found = read(frame.content)
    except FrameError as error:
        assert str(error).replace("_", "").isalpha()
        return
    except SegmentError as error:
        assert error.code
        return

    for batch in batches_of([found], Services()):
        for line in batch.body.split(b"\n"):
            assert json.loads(line)["kind"] == "span"


parts = st.sampled_from(["Root", "Parent", "Sampled", "Self", "Lineage", "root", ""])
roots = st.builds(
    lambda one, two: f"1-{one}-{two}",
    st.text(HEX, min_size=7, max_size=9),
    st.text(HEX, min_size=23, max_size=25),
)
values = (
    roots | st.text(HEX, min_size=15, max_size=17) | st.sampled_from("01?") | st.text(max_size=9)
)
pairs = st.builds(lambda one, two: f"{one}={two}", parts, values) | st.text(max_size=9)


@settings(max_examples=EXAMPLES)
@given(st.lists(pairs, max_size=5).map(";".join))
def test_any_trace_header_is_read_or_ignored(text):
    """What is read can be sent on, and means the same."""
    found = xray.extract({"x-amzn-trace-id": text})

    if found is not None:
        (sent,) = xray.inject(found).values()
        assert xray.extract({"x-amzn-trace-id": sent}) == found


VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**40, 1.5, 1e308, "", "x", "\x00", "é", "\ud800",
    "x" * 600,
    "Default", "{w0:String}", "'; DROP TABLE spans; --", "fault", 'service("a', "1-x", new_trace(),
    "arn:aws:xray:us-east-1:000000000000:group/x/y", [], ["x"], [None], [[]], {}, {"a": "b"},
    [{"Key": "k", "Value": "v"}], {"RuleName": "Default"}, [json.dumps(segment(new_trace()))],
]  # fmt: skip


@pytest.mark.parametrize("operation", sorted(MODEL.tables["operations"]))
def test_no_call_makes_the_server_fail(server, operation):
    """Members of every kind in every place; an error has the protocol's form."""
    chosen = random.Random(operation)
    told = MODEL.tables["operations"][operation]
    shape = MODEL.tables["shapes"][told["input"]]
    members = sorted(shape.get("members", {}))
    for _ in range(CALLS):
        given = {name: chosen.choice(VALUES) for name in members if chosen.random() < 0.6}
        if "StartTime" in members and chosen.random() < 0.8:
            given |= {
                "StartTime": chosen.choice([0, -1, 1e300]),
                "EndTime": chosen.choice([5, 1e300]),
            }
        status, body, headers = server.call("POST", told["path"], json.dumps(given).encode())

        assert status != 500, (operation, given, body)
        if status != 200:
            answer = json.loads(body)
            assert answer["__type"] == headers["x-amzn-errortype"]
            assert answer["Message"]


class Unused:
    """Stands for a writer that is never reached."""

    def submit(self, batch):
        raise AssertionError(batch)


def test_a_full_queue_is_counted():
    """A flood must not take the server's memory."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    writer: Any = Unused()
    receiver = Receiver(sock, writer, Services(), lambda: False)
    body = HEADER + b"{" + b" " * 60_000
    fit = QUEUE_BYTES_MAX // (len(body) - len(HEADER))

    for _ in range(fit + 5):
        receiver.take(body)

    receiver.close()
    assert receiver.rejected == {"queue_full": 5}
