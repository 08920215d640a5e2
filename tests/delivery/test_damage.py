"""A spool that was damaged on the disk costs what was damaged, and says so."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.policy import Route
from clerestory.destinations.server import Server, ServerConfig
from clerestory.spool.segment import ForeignSegment, Segment
from tests.delivery.takers import Taker, line, put
from tests.support.server import ServerProcess

COUNT = 300


class Raw(Taker):
    """Keeps lines as they come."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def send(self, batch):
        self.lines += [one for _, one in batch.records()]


@pytest.fixture
def dead(tmp_path, road):
    """The only segment of a process that died before it could deliver."""
    pipeline = road(Taker(), ships=False)
    put(pipeline, *(line(n) for n in range(COUNT)))
    folder = pipeline.spool.path
    pipeline.close(0.0)
    (folder / "agent").unlink()
    return folder / "00000000000000000000.seg"


def overwritten(path, start, content):
    """Overwrite a part of a file; return the numbers of the lines that this did not touch."""
    old = path.read_bytes()
    lines = old[: old.rindex(b"\n") + 1].splitlines(keepends=True)
    path.write_bytes(old[:start] + content + old[start + len(content) :])
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    # a line also ends where the one before it does
    return [
        n
        for n, (one, end) in enumerate(zip(lines, ends, strict=True))
        if start >= end or start + len(content) <= end - len(one) - 1
    ]


def parsed(lines):
    found = []
    for one in lines:
        try:
            found.append(json.loads(one)["n"])
        except (ValueError, KeyError, TypeError, UnicodeDecodeError):
            continue
    return found


@given(start=st.floats(0, 1), content=st.one_of(st.binary(max_size=300), st.just(bytes(4096))))
@settings(max_examples=40, deadline=None)
def test_lines_behind_damage_are_read(tmp_path_factory, start, content):
    """Whatever stands there now: only the lines around it are gone."""
    path = tmp_path_factory.mktemp("damaged") / "00000000000000000000.seg"
    segment = Segment(0, 65_536, path)
    size = sum(segment.append(line(n)) for n in range(COUNT))
    whole = overwritten(path, int(start * max(0, size - len(content))), content)

    found = ForeignSegment(path)
    lines = found.read(0, found.end()).replace(b"\0", b"").splitlines()
    segment.close(unlink=True)

    assert set(whole) <= set(parsed(lines))


def test_a_page_that_never_reached_the_disk_is_told(tmp_path, dead):
    """The records behind it arrive, and somebody is told that there were more."""
    told = []
    whole = overwritten(dead, 8192, bytes(4096))
    adopter = Adopter(
        tmp_path, [Route(destination=(taker := Raw()))], alarm=lambda *words: told.append(words)
    )

    adopter.run_once()
    adopter.close()

    assert parsed(taker.lines) == whole
    assert not dead.parent.exists()
    [(level, text)] = told
    assert level == "ERROR"
    assert "4096 bytes were zero" in text
    assert dead.parent.name in text


def test_a_torn_line_at_the_end_is_no_damage(tmp_path, dead):
    """A kill while it was copied leaves zeros in it; its call had not returned."""
    told = []
    end = dead.read_bytes().rindex(b"\n")
    overwritten(dead, end - 10, bytes(3))
    adopter = Adopter(
        tmp_path, [Route(destination=(taker := Raw()))], alarm=lambda *words: told.append(words)
    )

    adopter.run_once()
    adopter.close()

    assert parsed(taker.lines) == list(range(COUNT - 1))
    assert len(taker.lines) == COUNT - 1
    assert told == []


def test_the_server_keeps_what_is_left_of_a_line(tmp_path, dead):
    """It counts as rejected; the records before and behind it are stored."""
    whole = overwritten(dead, 8192, bytes(64))
    with ServerProcess() as server:
        destination = Server(ServerConfig(endpoint=server.url))
        (dead.parent / "cursor.taker").rename(dead.parent / f"cursor.{destination.name}")
        adopter = Adopter(tmp_path, [Route(destination=destination)])
        adopter.run_once()
        adopter.close()
        rows = server.get("/api/v1/logs", limit=1000, **{"from": "-1d"})["rows"]
        status = server.get("/api/v1/status")

    assert not dead.parent.exists()
    assert sorted(row["attrs"]["n"] for row in rows) == whole
    assert status["rejected"] == 1
