"""The forms that a log line may have, each one function from a line to a record.

    line -> [formats] -> record, or None: the line does not begin one

Invariant: a function returns None rather than a guess; what it takes off a line stands in a field.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from clerestory.cli.send.times import Clock, any_time, leading_time
from clerestory.model.severity import LEVELS

Record = dict[str, Any]
Parser = Callable[[str, Clock], Record | None]

_WORDS: Final[dict[str, str]] = {
    **{name: name for name in LEVELS},
    "WARN": "WARNING",
    "ERR": "ERROR",
    "SEVERE": "ERROR",
    "CRIT": "CRITICAL",
    "FATAL": "CRITICAL",
    "PANIC": "EMERGENCY",
    "EMERG": "EMERGENCY",
    "INFORMATION": "INFO",
    "SUCCESS": "NOTICE",
    "FINE": "DEBUG",
    "DBG": "DEBUG",
}
_LETTERS: Final = {
    "V": "VERBOSE",
    "D": "DEBUG",
    "I": "INFO",
    "W": "WARNING",
    "E": "ERROR",
    "F": "CRITICAL",
}
_SYSLOG_LEVELS: Final = (
    "EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG",
)  # fmt: skip
_TIME_KEYS: Final = ("timestamp", "@timestamp", "time", "ts", "datetime", "date", "asctime", "t")
_LEVEL_KEYS: Final = ("level", "levelname", "severity", "log.level", "lvl", "loglevel")
_MESSAGE_KEYS: Final = ("message", "msg", "event", "text")
_LOGGER_KEYS: Final = ("logger", "logger_name", "log.logger", "name")

_LEVEL: Final = re.compile(
    r"(?<![\w.])(?:(?P<upper>" + "|".join(_WORDS) + r")"
    r"|(?P<lower>(?<=\[)(?:" + "|".join(word.lower() for word in _WORDS) + r")(?=\])))(?![\w.])"
)
_NAME: Final = r"[A-Za-z_][\w.$/-]*(?::[\w<>]+){0,2}\s*(?::|\||\s-)\s+"
_AFTER_LEVEL: Final = re.compile(
    r"(?:\[(?P<thread>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]\s*(?:[-:|]\s+|(?=" + _NAME + r")))?"
    r"(?P<logger>(?:" + _NAME + r")?)(?P<message>.*)",
    re.DOTALL,
)
_BASIC: Final = re.compile(
    r"(?P<level>" + "|".join(LEVELS) + r"|WARN|FATAL):(?P<logger>[\w.-]+):(?P<message>.*)"
)
_SYSLOG_OLD: Final = re.compile(
    r"(?P<host>[\w.:-]+) (?P<program>[^:\[\]]{1,48}?)(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)"
)
_SYSLOG_BARE: Final = re.compile(r"(?P<host>[\w.:-]+) (?P<message>.*)")
_SYSLOG_NEW: Final = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) (?P<id>\S+) "
    r"(?:-|(?P<data>\[.*?(?<!\\)\]))(?: (?P<message>.*))?"
)
_ACCESS: Final = re.compile(
    r"(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?(?P<rest>.*)'
)
_ANDROID: Final = re.compile(
    r"\s+(?P<pid>\d+)\s+(?P<tid>\d+) (?P<level>[VDIWEF]) (?P<logger>.*?)\s*: (?P<message>.*)"
)
_GLOG: Final = re.compile(r"\s+(?P<tid>\d+) (?P<place>[\w./-]+:\d+)\] (?P<message>.*)")
_PAIR: Final = re.compile(r'([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
_HEADER_CHARS_MAX: Final = 160


def from_json(line: str, clock: Clock) -> Record | None:
    """Return the record of a JSON object, its usual keys under ours."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        # NaN is not JSON; as text it stays what it was.
        found = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return _with_our_keys(found, clock) if isinstance(found, dict) else None


def from_logfmt(line: str, clock: Clock) -> Record | None:
    """Return the record of a line of `key=value` words (https://brandur.org/logfmt)."""
    found: Record = {}
    position = 0
    while position < len(line):
        match = _PAIR.match(line, position)
        if match is None:
            return None
        found[match[1]] = _logfmt_value(match[2])
        position = match.end()
    return _with_our_keys(found, clock) if len(found) >= 2 else None


def from_text(line: str, clock: Clock) -> Record | None:
    """Return the record of a line that begins with a time: level, logger, message behind it."""
    bracket = len(line) - len(line.lstrip("["))
    found = leading_time(line[bracket:], clock)
    if found is None:
        return None
    rest = line[bracket + found[1] :].lstrip(" ]-|:,\t")
    return {"timestamp": found[0], **_head_of(rest)}


def from_python(line: str, clock: Clock) -> Record | None:
    """Return the record of a line of Python's logging: basicConfig's form, or one with a time."""
    match = _BASIC.fullmatch(line)
    if match is None:
        return from_text(line, clock)
    record: Record = {**match.groupdict(), "level": _WORDS[match["level"]]}
    return record


def from_syslog(line: str, clock: Clock) -> Record | None:
    """Return the record of a syslog line (RFC 5424, and RFC 3164 as it is found in files)."""
    match = _SYSLOG_NEW.fullmatch(line)
    if match is not None:
        return _syslog_record(match.groupdict(), any_time(match["time"], clock), int(match["pri"]))
    mark = re.match(r"<(\d{1,3})>", line)
    head = mark.end() if mark else 0
    found = leading_time(line[head:], clock)
    if found is None:
        return None
    begin = head + found[1] + 1
    match = _SYSLOG_OLD.fullmatch(line, begin)
    if match is None and line[head : head + 1].isalpha():
        match = _SYSLOG_BARE.fullmatch(line, begin)
    is_dated = line[head : head + 1].isalpha() or line[head + 10 : head + 11] == "T"
    if match is None or not is_dated or match["host"] in _WORDS:
        return None
    return _syslog_record(match.groupdict(), found[0], int(mark[1]) if mark else None)


def from_nginx(line: str, clock: Clock) -> Record | None:
    """Return the record of an access log's line, common or combined (nginx, Apache, gunicorn)."""
    match = _ACCESS.fullmatch(line)
    moment = any_time(match["time"], clock) if match else None
    if match is None or moment is None:
        return None
    status = int(match["status"])
    words = match["request"].split(" ")
    record: Record = {
        "timestamp": moment,
        "level": "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO",
        "logger": "access",
        "message": f"{match['request']} {status}",
        "client.address": match["client"],
        "http.response.status_code": status,
        "http.response.body.size": 0 if match["size"] == "-" else int(match["size"]),
    }
    if len(words) == 3:
        record |= {"http.request.method": words[0], "url.path": words[1]}
    optional = {"user.name": "user", "http.request.referrer": "referrer", "user_agent": "agent"}
    given = {key: match[name] for key, name in optional.items() if match[name] not in {None, "-"}}
    extra = match["rest"].strip()
    return record | given | ({"rest": extra} if extra else {})


def from_android(line: str, clock: Clock) -> Record | None:
    """Return the record of a line of logcat's threadtime form."""
    found = leading_time(line, clock)
    match = _ANDROID.fullmatch(line, found[1]) if found else None
    if found is None or match is None:
        return None
    return {
        "timestamp": found[0],
        "level": _LETTERS[match["level"]],
        "logger": match["logger"],
        "message": match["message"],
        "process.pid": int(match["pid"]),
        "thread.id": int(match["tid"]),
    }


def from_glog(line: str, clock: Clock) -> Record | None:
    """Return the record of a line of glog and klog: I0317 16:13:38.811 7 main.go:12] text."""
    found = leading_time(line[1:], clock) if line[:1] in _LETTERS else None
    match = _GLOG.fullmatch(line, found[1] + 1) if found else None
    if found is None or match is None:
        return None
    return {
        "timestamp": found[0],
        "level": _LETTERS[line[0]],
        "logger": match["place"].partition(":")[0],
        "message": match["message"],
        "code.place": match["place"],
        "thread.id": int(match["tid"]),
    }


def from_plain(line: str, clock: Clock) -> Record | None:  # noqa: ARG001 the parsers' signature
    """Return the line as a message; an indented one belongs to the line before."""
    if not line.strip() or line[0] in " \t" or line.startswith("Traceback (most recent"):
        return None
    return {"message": line}


# The order decides between two that understand a file equally well.
FORMATS: Final[dict[str, Parser]] = {
    "json": from_json,
    "logfmt": from_logfmt,
    "nginx": from_nginx,
    "syslog": from_syslog,
    "android": from_android,
    "glog": from_glog,
    "text": from_text,
    "python": from_python,
    "plain": from_plain,
}
SINGLE_LINE: Final = frozenset({from_json, from_logfmt, from_nginx})
SHARE_MIN: Final = 0.2
NEARLY: Final = 0.9


def detect(lines: list[str], clock: Clock) -> str:
    """Return the name of the format that understands most lines, `plain` if hardly any.

    A fifth is enough: the other lines may be tracebacks.
    """
    filled = [line for line in lines if line.strip()]
    scores = {
        name: sum(parser(line, clock) is not None for line in filled)
        for name, parser in FORMATS.items()
        if name != "plain"
    }
    best = max(scores.values())
    if best <= SHARE_MIN * len(filled):
        return "plain"
    return next(name for name, score in scores.items() if score >= NEARLY * best)


def _with_our_keys(found: Mapping[str, Any], clock: Clock) -> Record:
    record = dict(found)
    moved: Record = {}
    for key in _TIME_KEYS:
        moment = any_time(record.get(key), clock)
        if moment is not None:
            moved["timestamp"] = moment
            del record[key]
            break
    for key in _LEVEL_KEYS:
        level = _level(record.get(key))
        if level is not None:
            moved["level"] = level
            del record[key]
            break
    for ours, keys in (("message", _MESSAGE_KEYS), ("logger", _LOGGER_KEYS)):
        named = next((key for key in keys if isinstance(record.get(key), str)), None)
        if named is not None:
            moved[ours] = record.pop(named)
    # A time that was not understood stays readable and does not pass for one that was.
    if "timestamp" in record:
        record["timestamp_text"] = record.pop("timestamp")
    return {**moved, **record}


def _level(value: object) -> str | None:
    return _WORDS.get(value.strip().upper()) if isinstance(value, str) else None


def _logfmt_value(text: str) -> Any:
    if text.startswith('"'):
        return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1])
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def _head_of(rest: str) -> Record:
    """Return level, logger, thread and message of what stands behind the time."""
    match = _LEVEL.search(rest, 0, _HEADER_CHARS_MAX)
    before = rest[: match.start()].strip(" -|[]:()\t") if match else ""
    if match is None or len(before.split()) > 2:
        return {"message": rest}
    level = _WORDS[(match["upper"] or match["lower"]).upper()]
    tail = _AFTER_LEVEL.fullmatch(rest[match.end() :].lstrip(" ]-|:)\t"))
    assert tail is not None
    thread = before if before.isdigit() else tail["thread"]
    name = tail["logger"].rstrip(" :|-\t")
    record: Record = {"level": level, "message": tail["message"], "logger": name}
    if before and not before.isdigit():
        # The logger stands before the level: what looks like one behind it is text.
        record |= {"logger": before, "message": tail["logger"] + tail["message"]}
    if not record["logger"]:
        del record["logger"]
    return record | ({"thread.name": thread} if thread else {})


def _syslog_record(
    parts: Mapping[str, str | None], moment: int | None, priority: int | None
) -> Record:
    record: Record = {"message": parts["message"] or ""}
    if moment is not None:
        record["timestamp"] = moment
    if priority is not None:
        record |= {"level": _SYSLOG_LEVELS[priority & 7], "syslog.facility": priority >> 3}
    named = {"logger": "program", "host.name": "host", "syslog.msgid": "id", "syslog.data": "data"}
    for key, name in named.items():
        if parts.get(name) not in {None, "-", ""}:
            record[key] = parts[name]
    pid = parts.get("pid") or ""
    return record | ({"process.pid": int(pid)} if pid.isdigit() else {})
