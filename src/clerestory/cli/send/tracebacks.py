"""From the text of a Python traceback to the `exception` of a record.

    lines behind a record's first -> [tracebacks] -> type, message, frames, cause

Invariant: nothing is lost: a text that is not wholly understood is not taken apart.
"""

import re
from typing import Any, Final

_BEGIN: Final = "Traceback (most recent call last):"
_CHAINS: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_FRAME: Final = re.compile(r'\s*File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_RAISED: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?")


def parse(lines: list[str]) -> tuple[list[str], dict[str, Any]] | None:
    """Return (lines before the traceback, exception), or None if there is no traceback."""
    begin = next((index for index, line in enumerate(lines) if line.strip() == _BEGIN), None)
    if begin is None:
        return None
    indent = len(lines[begin]) - len(lines[begin].lstrip())
    exception: dict[str, Any] | None = None
    for block in _blocks([line[indent:] for line in lines[begin:]]):
        found = _exception(block)
        if found is None:
            return None
        # The first block is the innermost: what a later one names as its cause.
        exception = found if exception is None else {**found, "cause": exception}
    return None if exception is None else (lines[:begin], exception)


def _blocks(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip() in _CHAINS:
            blocks.append([])
        elif line.strip() or blocks[-1]:
            blocks[-1].append(line)
    return blocks


def _exception(block: list[str]) -> dict[str, Any] | None:
    if not block or block[0] != _BEGIN:
        return None
    frames: list[dict[str, Any]] = []
    for index, line in enumerate(block[1:], 1):
        if not line.startswith(" "):
            return _raised(block[index:], frames)
        match = _FRAME.fullmatch(line)
        if match is not None:
            function = match["function"] or "<module>"
            frames.append({"file": match["file"], "line": int(match["line"]), "function": function})
        elif frames and "code" not in frames[-1]:
            frames[-1]["code"] = line.strip()
    return None


def _raised(lines: list[str], frames: list[dict[str, Any]]) -> dict[str, Any] | None:
    match = _RAISED.fullmatch(lines[0])
    if match is None:
        return None
    rest = [line for line in lines[1:] if line.strip()]
    message = "\n".join([match["message"] or "", *rest])
    return {"type": match["type"], "message": message, "frames": frames}
