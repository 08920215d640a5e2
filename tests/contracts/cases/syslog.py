"""The destination `syslog` under the contract: RFC 5424 over TLS."""

from clerestory.destinations.syslog import Syslog, SyslogConfig
from tests.contracts.case import Case, Silence
from tests.doubles.syslog import Rsyslog, StreamReceiver, SyslogNg

SILENCE = Silence(
    witnesses=(Rsyslog, SyslogNg),
    provocations=(
        b'64 <14>1 2026-11-22T02:33:43Z h a 1 - [x@32473 _cid="s:1"] it is good',
        b"21 <999>9 no header at all",
        b"9 <14>no SP",
        b"99999 <14>1 - - - - - - " + b"x" * 99_980,
        b"no length at all\n",
        b"<14>1 - - - - - [x@32473 open never closed\n",
    ),
)

CASE = Case(
    name="syslog",
    receiver=lambda: StreamReceiver(tls=True),
    destination=lambda receiver, timeout=5.0: Syslog(
        SyslogConfig(port=receiver.port, protocol="tls", ca_file=receiver.ca_file, timeout=timeout)
    ),
    deny=lambda _, receiver, times: receiver.fail("strange", times=times),
    trouble=lambda receiver: receiver.stop(),
    silent=SILENCE,
    compresses=False,
    # NUL would end a message; its symbol stands in its place.
    messages=lambda receiver: [one.text.replace("\u2400", "\0") for one in receiver.messages],
)
