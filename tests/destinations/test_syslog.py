"""The destination syslog against rsyslog and syslog-ng themselves."""

import signal
import time
from contextlib import ExitStack

import pytest

from clerestory.destinations.syslog import Syslog, SyslogConfig
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from tests.contracts.case import Road
from tests.contracts.case import line as record
from tests.doubles.syslog import Rsyslog, StreamReceiver, SyslogNg, free_port
from tests.support.batches import EXCEPTION, SPOOL, TRACE, batch_of, line
from tests.support.certificates import make_certificate

RECEIVERS = [Rsyslog, SyslogNg]
HOSTILE = 'quotes " and \\ back ] bracket\nsecond line\ttab é \U0001f600'


def data_of(message):
    """Return the parameters of the element, from either receiver's form."""
    found = message.get("_SDATA") or message["$!"]["rfc5424-sd"]
    return found["clerestory@32473"]


def text_of(message):
    return message.get("MESSAGE", message.get("msg"))


@pytest.fixture(params=RECEIVERS, ids=lambda kind: kind.__name__)
def receiver(request, tmp_path):
    with request.param(tmp_path) as one:
        yield one


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_message_arrives_as_it_was_said(made, receiver, protocol):
    """Header, parameters and text, whatever they hold, over several lines."""
    destination = made(Syslog, SyslogConfig(port=receiver.port, protocol=protocol))

    receipt = destination.send(
        batch_of(line(HOSTILE, level="ERROR", user=HOSTILE, n=3, trace_id=TRACE), b"", first=3)
    )

    (one,) = receiver.wait_for(1)
    assert receipt.taken == 2
    assert text_of(one) == HOSTILE
    data = data_of(one)
    assert (data["user"], data["n"], data["trace_id"]) == (HOSTILE, "3", TRACE)
    assert data["logger"] == "shop.orders"
    assert data["_cid"] == f"{SPOOL}:3"
    assert one.get("HOST", one.get("hostname")) == "web-1"
    assert one.get("PROGRAM", one.get("programname")) == "shop"
    assert one.get("PID", one.get("procid")) == "4242"
    assert one.get("PRIORITY", one.get("syslogseverity")) in {"err", "3"}


def test_a_thousand_messages_arrive_in_order(made, receiver):
    """Counted in octets, so that no text can end a frame."""
    destination = made(Syslog, SyslogConfig(port=receiver.port, protocol="tcp"))
    lines = [line(f"5 <14>1 {n}\n" + "x" * (n % 200)) for n in range(1000)]

    destination.send(batch_of(*lines[:400]))
    destination.send(batch_of(*lines[400:], first=400))

    found = receiver.wait_for(1000)
    assert [data_of(one)["_cid"] for one in found] == [f"{SPOOL}:{n}" for n in range(1000)]


def test_tls_is_spoken_and_a_strange_certificate_holds(made, tmp_path):
    """RFC 5425; records wait rather than travel to whoever answers."""
    certificate = make_certificate(tmp_path)
    with Rsyslog(tmp_path, certificate) as receiver:
        trusted = made(
            Syslog, SyslogConfig(port=receiver.port, protocol="tls", ca_file=certificate)
        )
        strange = made(Syslog, SyslogConfig(port=receiver.port, protocol="tls"))

        trusted.send(batch_of(*[line(f"m {n}") for n in range(100)]))
        trusted.send(batch_of(line("last"), first=100))
        with pytest.raises(HoldError, match=r"not trusted.*ca_file"):
            strange.send(batch_of(line("never")))

        found = [text_of(one) for one in receiver.wait_for(101)]

    assert found == [*(f"m {n}" for n in range(100)), "last"]


def test_a_program_that_the_receiver_does_not_know_holds(tmp_path):
    """It asks for certificates. To retry would be of no use, and nobody would be told."""
    with StreamReceiver(tls=True) as receiver:
        receiver.fail("stranger", times=3)
        config = SyslogConfig(port=receiver.port, protocol="tls", ca_file=receiver.ca_file)
        with Road(tmp_path, Syslog(config)) as road:
            road.put(*(record(number) for number in range(100)))
            _wait(lambda: road.stats.hold)

            _wait(lambda: not road.stats.hold)

            assert [level for level, _ in road.alarms] == ["ERROR", "NOTICE"]
            assert "CERTIFICATE_REQUIRED" in road.alarms[0][1]
            assert "check certificate_file" in road.alarms[0][1]
            _wait(lambda: receiver.accepted == road.ids(100))
    assert receiver.violations == []


def test_a_receiver_that_never_shakes_hands_is_left_in_time(made):
    """The port takes connections, the program behind it stands."""
    with StreamReceiver(tls=True) as receiver:
        receiver.fail("mute")
        config = SyslogConfig(
            port=receiver.port, protocol="tls", ca_file=receiver.ca_file, connect_timeout=0.2
        )
        destination = made(Syslog, config)

        with pytest.raises(RetryError, match="handshake"):
            destination.send(batch_of(line("a")))

        destination.send(batch_of(line("a")))
        _wait(lambda: receiver.accepted == [f"{SPOOL}:0"])


def test_old_packets_are_no_longer_than_1024_bytes(made, receiver):
    """RFC 3164, section 4.1."""
    config = SyslogConfig(port=receiver.port, protocol="udp", format="rfc3164")

    made(Syslog, config).send(batch_of(line("x" * 5000)))

    (one,) = receiver.wait_for(1)
    assert 600 < len(text_of(one)) <= 1024
    assert f"_cid={SPOOL}:0" in text_of(one)


def test_syslog_ng_takes_tls_too(made, tmp_path):
    """The other implementation of RFC 5425."""
    certificate = make_certificate(tmp_path)
    with SyslogNg(tmp_path, certificate) as receiver:
        destination = made(
            Syslog, SyslogConfig(port=receiver.port, protocol="tls", ca_file=certificate)
        )
        destination.send(batch_of(line("a"), line("b")))

        assert [text_of(one) for one in receiver.wait_for(2)] == ["a", "b"]


def test_what_a_killed_receiver_had_not_read_comes_again(made, tmp_path):
    """Its machine had taken the bytes, so that TCP called them delivered."""
    with Rsyslog(tmp_path) as receiver:
        destination = made(Syslog, SyslogConfig(port=receiver.port, protocol="tcp"))
        destination.send(batch_of(line("first")))
        receiver.wait_for(1)
        receiver.freeze()
        destination.send(batch_of(*[line(f"unread {n}") for n in range(50)], first=1))
        receiver.stop(signal.SIGKILL)
        assert len(receiver.messages()) == 1
        receiver.start()

        _send_until_taken(destination, batch_of(line("after"), first=51))

        wanted = {f"{SPOOL}:{n}" for n in range(52)}
        _wait(lambda: {data_of(one)["_cid"] for one in receiver.messages()} == wanted)


def _send_until_taken(destination, batch):
    """Do as the courier does."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return destination.send(batch)
        except RetryError:
            assert time.monotonic() < deadline


def _wait(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_receiver_that_does_not_read_gets_the_batch_later(made, tmp_path):
    """The courier is not held for ever; what was not taken is sent again."""
    with Rsyslog(tmp_path) as receiver:
        destination = made(
            Syslog,
            SyslogConfig(port=receiver.port, protocol="tcp", timeout=1.0, message_bytes=60_000),
        )
        destination.send(batch_of(line("first")))
        receiver.wait_for(1)
        receiver.freeze()
        large = batch_of(*[line("x" * 50_000, n=n) for n in range(200)], first=1)
        with pytest.raises(RetryError):
            destination.send(large)
        receiver.thaw()

        _send_until_taken(destination, large)

        ids = {f"{SPOOL}:{n}" for n in range(201)}
        _wait(lambda: {data_of(one)["_cid"] for one in receiver.messages()} == ids)


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_receiver_that_is_away_gets_the_batch_later(made, protocol):
    """Connection refused is no error of the records."""
    destination = made(Syslog, SyslogConfig(port=free_port(), protocol=protocol))

    with pytest.raises(RetryError, match="ConnectionRefusedError"):
        destination.send(batch_of(line()))


def test_over_udp_a_machine_without_a_receiver_is_noticed(made):
    """The first packet is lost, the machine says so, the next one fails."""
    destination = made(Syslog, SyslogConfig(port=free_port(), protocol="udp"))

    with pytest.raises(RetryError, match="ConnectionRefusedError"):
        for n in range(200):
            destination.send(batch_of(line(), first=n))


@pytest.mark.parametrize("text", ["x" * 100_000, "é" * 50_000, "]" * 50_000])
def test_a_long_message_is_shortened_and_says_so(made, receiver, text):
    """2048 bytes over UDP: what every receiver must take."""
    destination = made(Syslog, SyslogConfig(port=receiver.port, protocol="udp"))

    destination.send(batch_of(line(text, user="u")))

    (one,) = receiver.wait_for(1)
    assert int(data_of(one)["_truncated_bytes"]) > 0
    assert data_of(one)["user"] == "u"
    assert len(text_of(one).encode()) > 700


def test_old_receivers_get_the_old_form(made, tmp_path):
    """RFC 3164: one line, fields as name=value, local time."""
    with Rsyslog(tmp_path) as receiver:
        config = SyslogConfig(
            port=receiver.port, protocol="tcp", format="rfc3164", facility="local3"
        )
        made(Syslog, config).send(batch_of(line("two\nlines", user="a b", n=3)))

        (one,) = receiver.wait_for(1)

    assert one["protocol-version"] == "0"
    assert (one["programname"], one["syslogtag"]) == ("shop", "shop[4242]:")
    assert one["hostname"] == "web-1"
    assert one["syslogfacility"] == "19"
    said = one["msg"].strip()
    assert said.startswith("two\\nlines logger=shop.orders module=main")
    assert 'user="a b" n=3' in said
    assert said.endswith(f"_cid={SPOOL}:0")


def test_an_exception_is_told_below_the_message(made, receiver):
    """A person who reads the log sees what happened."""
    destination = made(Syslog, SyslogConfig(port=receiver.port, protocol="tcp"))

    destination.send(batch_of(line("it broke", exception=EXCEPTION)))

    (one,) = receiver.wait_for(1)
    assert text_of(one).startswith("it broke\nTraceback (most recent call last):\nKeyError: 'x'")
    assert text_of(one).endswith("ValueError: no such order")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"facility": "local9"}, "'local9' is unknown"),
        ({"message_bytes": 100}, "at least 480"),
        ({"structured_data_id": "mine"}, "'mine' is no SD-ID"),
        ({"structured_data_id": "a b@1"}, "is no SD-ID"),
        ({"structured_data_id": "a" * 31 + "@1"}, "is no SD-ID"),
        ({"protocol": "tls", "ca_file": "/nowhere.pem"}, "cannot be read"),
    ],
)
def test_a_wrong_option_is_told_before_the_first_record(options, words):
    """Where the program is set up."""
    with pytest.raises(ConfigurationError, match=words):
        Syslog(SyslogConfig(**options))


def test_the_name_tells_receiver_and_protocol(made):
    """Two destinations may differ in the protocol alone."""
    assert made(Syslog, SyslogConfig(host="log", protocol="tls")).name == "syslog-tls-log_6514"


def test_a_receiver_that_is_killed_twice_loses_nothing(tmp_path):
    """Through spool and courier: away at first, then killed while it reads, twice."""
    (tmp_path / "receiver").mkdir()
    receiver = Rsyslog(tmp_path / "receiver")
    destination = Syslog(SyslogConfig(port=receiver.port, protocol="tcp"))
    with ExitStack() as stack:
        stack.callback(receiver.stop)
        road = stack.enter_context(Road(tmp_path / "spool", destination))
        road.put(*(record(number) for number in range(500)))
        _wait(lambda: road.stats.retries > 0)
        receiver.start()
        receiver.wait_for(500)
        for start in (500, 1500):
            road.put(*(record(number) for number in range(start, start + 1000)))
            receiver.wait_for(start + 1)
            receiver.stop(signal.SIGKILL)
            receiver.start()
        road.put(record(2500))

        wanted = set(road.ids(2501))
        _wait(lambda: {data_of(one)["_cid"] for one in receiver.messages()} == wanted)
