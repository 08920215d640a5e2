"""Commands that need no server: help, errors, settings, variables."""

import json
import re

import click
import pytest

from clerestory.cli import COMMANDS, main
from clerestory.cli.env import render
from clerestory.cli.remote.output import line_of, safe
from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path):
    """A home with no server."""
    return Shell(tmp_path)


def test_the_list_of_commands_says_what_each_command_says(shell):
    """The list is written by hand, so that help imports nothing; it must not lie."""
    context = click.Context(main)

    for name, (_, _, text) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        first = (command.help or "").split("\n")[0]
        assert first.startswith(text.rstrip(".")), (name, first)


def test_the_version_is_printed(shell):
    """Everybody is asked for it."""
    done = shell.run("--version")

    assert re.fullmatch(r"clerestory \d+\.\d+\.\d+\n", done.stdout)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [["query", "x"], ["tail"], ["send", "-"], ["tail", "--no-follow"]],
)
def test_a_missing_server_is_one_line_that_says_what_to_do(shell, arguments):
    """It is the most common failure of all."""
    done = shell.run(*arguments, text="INFO:a:b\n")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no server at http://127.0.0.1:9 (connection refused)" in done.stderr
    assert "clerestory up" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["query", "--limit", "0"], "0 is not in the range"),
        (["run"], "Missing argument 'PROGRAM...'"),
        (["demo", "--for", "soon"], "expected a time such as 50ms"),
    ],
)
def test_a_command_written_wrongly_ends_with_2(shell, arguments, words):
    """Scripts tell a typing error from a failure."""
    done = shell.run(*arguments)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_wrong_endpoint_is_an_error(shell):
    """`localhost` without a port is a valid guess; nonsense is not."""
    done = shell.run("query", CLERESTORY_ENDPOINT="ftp://x")

    assert done.returncode == 1
    assert "'ftp://x' is not an address such as" in done.stderr


def test_config_shows_value_and_origin_and_hides_the_token(shell):
    """A surprise can be traced to where it was set; the output may be pasted into a report."""
    (shell.home / "clerestory.yaml").write_text("service: from-file\n")

    done = shell.run(
        "config", "--format", "json", CLERESTORY_LEVEL="debug", CLERESTORY_TOKEN="s3cret"
    )

    found = {entry["key"]: entry for entry in json.loads(done.stdout)}
    assert found["level"] == {
        "key": "level",
        "value": "DEBUG",
        "origin": "environment CLERESTORY_LEVEL",
    }
    assert found["service"]["origin"].endswith("clerestory.yaml:1")
    assert found["spool.bytes_max"]["value"] == "512MB"
    assert "s3cret" not in done.stdout


def test_config_warns_of_a_variable_that_nothing_reads(shell):
    """`CLERESTORY_LEVLE` would do nothing, silently."""
    done = shell.run("config", CLERESTORY_LEVLE="DEBUG")

    assert done.returncode == 0
    assert "nothing reads the variable CLERESTORY_LEVLE" in done.stderr


def test_config_check_names_file_and_line(shell):
    """It is what one runs before a deployment."""
    good, bad = shell.home / "good.yaml", shell.home / "bad.yaml"
    good.write_text("service: x\nserver:\n  port: 1\n")
    bad.write_text("service: x\nserver:\n  prot: 1\n")

    assert shell.run("config", "check", str(good)).stdout == f"{good}: 2 settings, all valid\n"
    done = shell.run("config", "check", str(bad))
    assert done.returncode == 1
    assert f"{bad}:3: unknown setting 'server.prot'; did you mean 'server.port'?" in done.stderr


def test_doctor_says_what_to_do_and_ends_with_1(shell):
    """A doctor who only says that one is ill is no help."""
    done = shell.run("doctor", CLERESTORY_SPOOL_DIRECTORY="/proc/nowhere")

    assert done.returncode == 1
    assert "BAD   spool" in done.stdout
    assert "set CLERESTORY_SPOOL_DIRECTORY" in done.stdout
    assert "BAD   server" in done.stdout
    assert "clerestory up" in done.stdout


@pytest.mark.parametrize("form", ["sh", "fish", "dotenv", "json"])
def test_env_prints_the_variables_in_the_form_asked_for(shell, form):
    """The lines are pasted or evaluated: nothing else may be on them."""
    done = shell.run("env", "--service", "my shop", "--format", form)

    expected = {
        "CLERESTORY_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_XRAY": "http://127.0.0.1:9",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "CLERESTORY_SERVICE": "my shop",
        "OTEL_SERVICE_NAME": "my shop",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "clerestory",
        "AWS_SECRET_ACCESS_KEY": "clerestory",
    }
    assert done.stdout == render(expected, form) + "\n"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell, name):
    """The script asks the command itself for what fits."""
    done = shell.run("completion", name)

    assert done.returncode == 0
    assert "_CLERESTORY_COMPLETE" in done.stdout


def test_completion_answers_with_commands(shell):
    """What the script asks for."""
    done = shell.run(
        _CLERESTORY_COMPLETE="bash_complete", COMP_WORDS="clerestory co", COMP_CWORD="1"
    )

    assert done.stdout.split() == ["plain,config", "plain,completion"]


def test_what_a_program_logged_cannot_steer_the_terminal():
    """An attacker may write into a log what the terminal of its reader obeys."""
    row = {
        "ts": "1795314823428724290",
        "level": "INFO",
        "service": "s\x07",
        "message": "a\x1b]0;title\x07b\rc\u202ed\x9b31m",
        "attrs": {"k\x1b": "v\n"},
    }

    line = line_of(row, colour=False)

    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", line)
    assert safe("tab\tnewline\n") == "tab\\tnewline\\n"
