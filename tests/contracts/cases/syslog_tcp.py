"""The destination `syslog` under the contract: RFC 3164 over TCP, as old receivers want it."""

from clerestory.destinations.syslog import Syslog, SyslogConfig
from tests.contracts.case import Case
from tests.contracts.cases.syslog import SILENCE
from tests.doubles.syslog import StreamReceiver

CASE = Case(
    name="syslog-tcp",
    receiver=lambda: StreamReceiver(form="rfc3164"),
    destination=lambda receiver, timeout=5.0: Syslog(
        SyslogConfig(port=receiver.port, protocol="tcp", format="rfc3164", timeout=timeout)
    ),
    deny=None,
    trouble=lambda receiver: receiver.stop(),
    silent=SILENCE,
    compresses=False,
    messages=lambda receiver: [_unescaped(one.text) for one in receiver.messages],
)


def _unescaped(text: str) -> str:
    said, _, _ = text.rpartition(" logger=contract")
    lines = said.replace("\\\\n", "\0n").replace("\\n", "\n")
    return lines.replace("\0n", "\\n").replace("\u2400", "\0")
