"""`clerestory query` with Logs Insights: a real process asks a real server."""

import csv
import io
import json
import os
import pty
import subprocess
import time

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]

from clerestory.server.insights import is_query
from clerestory.server.insights.registry import commands
from tests.cli.shell import COMMAND, Shell
from tests.support.server import ServerProcess

GROUP = "/clerestory/till"


@pytest.fixture(scope="module")
def server():
    """A server with six records of a till."""
    with ServerProcess() as running:
        now = time.time_ns() - 60 * 10**9
        lines = [
            {
                "timestamp": now + number * 10**9,
                "level": ["INFO", "ERROR"][number % 2],
                "message": f"sale {number}",
                "path": ["/pay", "/back", "/bücher"][number % 3],
                "amount": number * 1.5,
            }
            for number in range(6)
        ]
        running.send(lines, resource={"service.name": "till"})
        yield running


@pytest.fixture
def shell(tmp_path, server):
    """A home whose commands find the server."""
    return Shell(tmp_path, server.url)


def test_an_insights_query_prints_a_table_and_what_it_took(shell):
    """Numbers stand right, texts left; the summary is not in the way of a pipe."""
    done = shell.run("query", "stats count(*) as n, sum(amount) as total by path | sort path")

    assert done.stdout == (
        "path     n  total\n"
        "/back    2    7.5\n"
        "/bücher  2   10.5\n"
        "/pay     2    4.5\n"
    )  # fmt: skip
    assert done.stderr.startswith("3 rows; 6 of 6 records matched, ")
    assert done.returncode == 0


def test_each_format_has_the_same_rows(shell):
    """People, programs and spreadsheets."""
    text = 'filter level = "ERROR" | fields message, amount, nope | sort amount'

    def run(form):
        done = shell.run("query", text, "--group", GROUP, "--format", form)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    lines = [json.loads(line) for line in run("ndjson").splitlines()]
    sheet = list(csv.DictReader(io.StringIO(run("csv"))))
    assert lines == [
        {"message": f"sale {number}", "amount": number * 1.5, "nope": None} for number in (1, 3, 5)
    ]
    assert run("json") == run("ndjson")
    assert sheet == [
        {"message": f"sale {number}", "amount": str(number * 1.5), "nope": ""}
        for number in (1, 3, 5)
    ]


def test_parquet_goes_to_a_file_and_not_to_a_terminal(shell):
    """Its bytes would steer the terminal."""
    command = [*COMMAND, "query", "fields amount | sort amount", "--format", "parquet"]
    path = shell.home / "rows.parquet"
    with path.open("wb") as file:
        subprocess.run(command, env=shell.environ, stdout=file, check=True, timeout=60)
    leader, follower = pty.openpty()

    refused = subprocess.run(
        command, env=shell.environ, stdout=follower, stderr=subprocess.PIPE, text=True,
        check=False, timeout=60,
    )  # fmt: skip

    os.close(follower)
    os.close(leader)
    assert parquet.read_table(path).column("amount").to_pylist() == [
        number * 1.5 for number in range(6)
    ]
    assert refused.returncode == 2
    assert "write it to a file: > rows.parquet" in refused.stderr


def test_a_wrong_query_is_underlined_with_what_was_meant_and_ends_with_2(shell):
    """The line of the mistake is shown, not the whole query."""
    done = shell.run("query", "fields path\n| fliter amount > 1\n| limit 2")

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: there is no command `fliter` (character 15)",
        "  | fliter amount > 1",
        "    ^^^^^^",
        "  did you mean `filter`?",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["limit 1", "--group", "till"], 1, "did you mean /clerestory/till?"),
        (["limit 1", "--from", "soon"], 1, "from is not a time: 'soon'"),
        (["limit 1", "--oldest-first"], 2, "sort @timestamp asc"),
        (["sale", "--group", GROUP], 2, "this is a search"),
        (["sale", "--format", "parquet"], 2, "this is a search"),
        (['limit 1 | SOURCE "x"'], 2, "SOURCE can only be the first command"),
    ],
)
def test_what_cannot_be_done_is_said(shell, arguments, code, words):
    """In one sentence, with what to write instead."""
    done = shell.run("query", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_times_and_limit_bound_the_query(shell):
    """And rows that were cut are said to be."""
    early = shell.run("query", "stats count(*) as n by path", "--from", "2h", "--to", "1h")
    cut = shell.run("query", "fields path", "--limit", "2")

    assert early.stdout == "path  n\n"
    assert len(cut.stdout.splitlines()) == 3
    assert "there are more rows than the limit of 2; --limit changes it" in cut.stderr


def test_a_terminal_sees_how_far_a_query_is(shell, server):
    """And the line is gone when the rows come."""
    texts = ", ".join(f'regexReplace(@message, /([0-9]+)/, "x{n}")' for n in range(4))
    for _batch in range(5):
        server.send([{"message": f"many {n} " * 20} for n in range(20_000)])
    leader, follower = pty.openpty()

    done = subprocess.run(
        [*COMMAND, "query", f"fields strlen(concat({texts})) as n | stats max(n) as longest"],
        env=shell.environ, stdout=subprocess.PIPE, stderr=follower, text=True, check=True,
        timeout=60,
    )  # fmt: skip

    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert done.stdout.startswith("longest\n")
    assert " records read, " in shown
    assert shown.rindex("\r\x1b[K") > shown.rindex(" records read, ")


@pytest.mark.parametrize(
    "text",
    [
        "limit 3", "  FIELDS @message", "# a comment\nstats count(*)", 'SOURCE "shop"',
        'parse"a *" as b', "filter(a = 1)", "filtr a = 1 | limit 3", "head 2", "anomaly x",
    ],
)  # fmt: skip
def test_a_text_that_begins_with_a_command_or_has_a_pipe_is_an_insights_query(text):
    """One rule, in the help."""
    assert is_query(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "level>=warn", "source:web", "source = web", "limit>3", "filter", '"limit" reached',
        '"a | b" c', "limits reached", "-filter x", "(limit 3)",
    ],
)  # fmt: skip
def test_every_other_text_is_a_search(text):
    """What worked before goes on to work."""
    assert not is_query(text)


def test_every_example_of_the_language_is_taken_for_a_query():
    """No command is left out of the rule."""
    known = [one for one in commands().values() if not one.refusal]
    assert [one.name for one in known if not is_query(one.example)] == []
