"""Settings: precedence, origins, kinds, files, errors that say what to do."""

from pathlib import Path

import pytest

from clerestory.model.errors import ConfigurationError
from clerestory.settings import BY_KEY, SETTINGS, environment_name, ignored_environment, load
from clerestory.settings.kinds import convert, show


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clerestory.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_argument_wins_over_the_environment_over_the_file_over_the_default(tmp_path):
    """Users rely on one order; each origin is shown so that a surprise can be traced."""
    path = _file(tmp_path, "service: from-file\nenvironment: from-file\nlevel: ERROR\n")
    environ = {"CLERESTORY_SERVICE": "from-env", "CLERESTORY_ENVIRONMENT": "from-env"}

    settings = load({"service": "from-argument"}, file=path, environ=environ)

    assert settings["service"] == "from-argument"
    assert settings["environment"] == "from-env"
    assert settings["level"] == 40
    assert settings["endpoint"] == "http://127.0.0.1:4318"
    assert settings.origin("service") == "argument"
    assert settings.origin("environment") == "environment CLERESTORY_ENVIRONMENT"
    assert settings.origin("level") == f"file {path}:3"
    assert settings.origin("endpoint") == "default"


def test_every_setting_has_a_valid_default_that_can_be_written_and_read_back(tmp_path):
    """`clerestory config` shows values as one would write them: the form must load again."""
    settings = load({}, environ={"HOME": str(tmp_path)})

    for setting in SETTINGS:
        value = settings[setting.key]
        assert convert(setting, show(setting, value)) == value, setting.key


def test_every_example_in_the_table_is_valid():
    """An example that fails would teach the wrong form."""
    for setting in SETTINGS:
        if setting.example:
            convert(setting, setting.example)


def test_no_two_settings_share_an_environment_name():
    """`a.b_c` and `a_b.c` would be the same variable."""
    names = [environment_name(setting.key) for setting in SETTINGS]

    assert len(names) == len(set(names))
    assert len(BY_KEY) == len(SETTINGS)


@pytest.mark.parametrize("name", ["spool.bytes_max", "spool_bytes_max"])
def test_an_argument_may_be_written_with_dots_or_underscores(name):
    """Keyword arguments of configure() cannot have dots."""
    assert load({name: "4MiB"}, environ={})["spool.bytes_max"] == 4 * 1024 * 1024


def test_an_argument_may_be_a_mapping_of_a_section():
    """A dictionary read from elsewhere has the shape of the file."""
    settings = load({"spool": {"bytes_max": 2_000_000}}, environ={})

    assert settings["spool.bytes_max"] == 2_000_000


def test_an_argument_of_none_counts_as_not_given():
    """Wrappers pass their own optional arguments through."""
    settings = load({"level": None}, environ={})

    assert settings.origin("level") == "default"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("spool.bytes_max", "512MB", 512_000_000),
        ("spool.bytes_max", "4MiB", 4_194_304),
        ("spool.bytes_max", "2000000", 2_000_000),
        ("delivery.poll_interval", "50ms", 0.05),
        ("delivery.timeout", "2m", 120.0),
        ("capture_logging", "off", False),
        ("level", "warn", 30),
        ("level", "17", 17),
        ("levels", "a.b=DEBUG, c=40", {"a.b": 10, "c": 40}),
        ("levels", '{"a": "INFO"}', {"a": 20}),
        ("sample.levels", "DEBUG=0.5", {"DEBUG": 0.5}),
        ("destinations", "console, server", ["console", "server"]),
        ("redact.keys", '["a,b"]', ["a,b"]),
        ("file.path", "", None),
        ("file.path", "/x/y", Path("/x/y")),
    ],
)
def test_text_from_the_environment_becomes_the_kind_of_the_setting(key, text, value):
    """The environment has only text."""
    settings = load({}, environ={environment_name(key): text})

    assert settings[key] == value


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("server.port", "70000", "expected at most 65535"),
        ("server.port", "http", "expected a whole number"),
        ("server.port", True, "expected a whole number"),
        ("sample.rate", "nan", "expected a number"),
        ("sample.rate", 1.5, "expected at most 1"),
        ("sample.levels", "DEBUG=2", "expected at most 1"),
        ("spool.bytes_max", "12 parsecs", "expected a size such as"),
        ("delivery.timeout", "-1", "expected a time such as"),
        ("level", "LOUD", "expected one of TRACE"),
        ("levels", "a", "expected text such as a=1,b=2"),
        ("capture_logging", "maybe", "expected true or false"),
        ("spool.mode", "disk", "expected one of process, memory"),
        ("destinations", "[1", "expected a JSON list"),
        ("destinations", 5, "expected a list"),
        ("service", ["a"], "expected text"),
        ("spool.directory", 5, "expected a path"),
    ],
)
def test_a_wrong_value_is_an_error_that_says_what_is_expected(key, value, expected):
    """The user must be able to mend it from the message alone."""
    with pytest.raises(ConfigurationError) as caught:
        load({key: value}, environ={})

    assert repr(key) in str(caught.value)
    assert "(argument)" in str(caught.value)
    assert expected in str(caught.value)
    assert "got" in str(caught.value)


def test_the_error_never_shows_the_token():
    """Messages end in logs."""
    with pytest.raises(ConfigurationError) as caught:
        load({"token": ["s3cret"]}, environ={})

    assert "s3cret" not in str(caught.value)


def test_an_unknown_argument_names_the_nearest_key():
    """Most unknown keys are typing errors."""
    with pytest.raises(ConfigurationError, match=r"'levl'.*did you mean 'level'"):
        load({"levl": "INFO"}, environ={})


def test_an_unknown_key_in_a_file_names_file_line_and_the_nearest_key(tmp_path):
    """A silent typing error in a file would leave the default in force."""
    path = _file(tmp_path, "service: x\nspool:\n  byte_max: 1\n")

    with pytest.raises(ConfigurationError) as caught:
        load({}, file=path, environ={})

    expected = f"{path}:3: unknown setting 'spool.byte_max'; did you mean 'spool.bytes_max'?"
    assert str(caught.value) == expected


def test_a_wrong_value_in_a_file_names_file_and_line(tmp_path):
    """A file may be long."""
    path = _file(tmp_path, "service: x\nserver:\n  port: many\n")

    with pytest.raises(ConfigurationError) as caught:
        load({}, file=path, environ={})

    assert f"(file {path}:3)" in str(caught.value)
    assert "got 'many'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- 1\n", "should hold a mapping"),
        ("spool: 5\n", "'spool' should hold a mapping"),
        ("service: ${NOT_SET}\n", "variable 'NOT_SET' is not set"),
        ("destinations: !!python/object:os.system {}\n", "not plain data"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path, text, words):
    """The old configuration stays in force; the message is all that the user sees."""
    with pytest.raises(ConfigurationError, match=words):
        load({}, file=_file(tmp_path, text), environ={})


def test_a_missing_file_is_an_error_only_when_it_was_named(tmp_path, monkeypatch):
    """A file that was asked for and is not there must not be ignored."""
    monkeypatch.chdir(tmp_path)

    assert load({}, environ={}).origin("level") == "default"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load({}, environ={"CLERESTORY_CONFIG": str(tmp_path / "none.yaml")})


def test_the_file_in_the_working_directory_is_found(tmp_path, monkeypatch):
    """A project needs no variable to have settings."""
    _file(tmp_path, "service: here\n")
    monkeypatch.chdir(tmp_path)

    assert load({}, environ={})["service"] == "here"


def test_variables_in_a_file_are_expanded(tmp_path):
    """Secrets and hosts come from the environment, also inside lists and mappings."""
    text = (
        "service: ${NAME}\n"
        "environment: ${MISSING:-test}\n"
        "service_version: 1.10\n"
        "token: a$$b\n"
        "server:\n  port: ${PORT:-4319}\n"
        "destinations:\n  - console\n  - type: file\n    path: /logs/${NAME}.jsonl\n"
        "levels:\n  a.b: ${LEVEL:-DEBUG}\n"
    )

    settings = load({}, file=_file(tmp_path, text), environ={"NAME": "shop"})

    assert settings["service"] == "shop"
    assert settings["environment"] == "test"
    assert settings["service_version"] == "1.10"
    assert settings["token"] == "a$b"
    assert settings["server.port"] == 4319
    assert settings["destinations"] == ["console", {"type": "file", "path": "/logs/shop.jsonl"}]
    assert settings["levels"] == {"a.b": 10}


def test_the_service_is_named_after_the_program(monkeypatch):
    """A program that says nothing still has a name on the page."""
    monkeypatch.setattr("sys.argv", ["/srv/shop.py"])
    assert load({}, environ={})["service"] == "shop"

    monkeypatch.setattr("sys.argv", ["-c"])
    assert load({}, environ={})["service"] == "python"


def test_directories_follow_the_xdg_variables(tmp_path):
    """https://specifications.freedesktop.org/basedir-spec/latest/"""
    environ = {"XDG_STATE_HOME": str(tmp_path / "s"), "XDG_DATA_HOME": str(tmp_path / "d")}

    settings = load({}, environ=environ)

    assert settings["spool.directory"] == tmp_path / "s/clerestory/spool"
    assert settings["server.data_dir"] == tmp_path / "d/clerestory"


def test_a_variable_that_nothing_reads_is_reported():
    """`CLERESTORY_LEVLE=DEBUG` would otherwise do nothing, silently."""
    environ = {"CLERESTORY_LEVLE": "DEBUG", "CLERESTORY_LEVEL": "INFO", "CLERESTORY_CONFIG": ""}

    assert ignored_environment(environ) == ["CLERESTORY_LEVLE"]
