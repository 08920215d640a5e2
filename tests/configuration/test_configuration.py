"""configure(): settings, files and dictionaries of the standard library."""

import json
import logging
import logging.config
import subprocess
import sys
import textwrap

import pytest

import clerestory

SEED_002 = """
logging_config = {
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {
        'standard': {
            'format': '%(asctime)s [%(levelname)s] %(name)s: %(message)s'
        }
    },
    'handlers': {
        'console': {
            'class': 'logging.StreamHandler',
            'formatter': 'standard',
            'level': 'INFO'
        },
        'file': {
            'class': 'logging.handlers.RotatingFileHandler',
            'formatter': 'standard',
            'filename': 'dreamos.log',
            'maxBytes': 10485760,
            'backupCount': 5
        }
    },
    'loggers': {
        '': {
            'handlers': ['console', 'file'],
            'level': 'INFO',
            'propagate': True
        }
    }
}
"""

SEED_000 = """
version: 1
disable_existing_loggers: False
formatters:
  plaintext:
    format: "[%(asctime)s] %(process)d %(levelname)s %(name)s:%(funcName)s:%(lineno)s - %(message)s"
handlers:
  logfile:
    class: logging.handlers.RotatingFileHandler
    formatter: plaintext
    level: DEBUG
    filename: echodataflow.log
    maxBytes: 1000000
    backupCount: 3
loggers:
  echodataflow:
    level: DEBUG
    propagate: False
    handlers: [logfile]
"""


def run(tmp_path, program, **environment):
    """Run a program in a fresh interpreter, its spool and files in `tmp_path`."""
    import os

    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(program))
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool")} | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_seed_002_basic_configuration_works_through_dict_config(tmp_path):
    """The dictionary of the seed, its usage example, and our records beside its files."""
    answer = run(
        tmp_path,
        SEED_002
        + """
import logging.config
import clerestory
from clerestory import get_logger
clerestory.configure(destinations=["file:ours.ndjson"])
logging.config.dictConfig(logging_config)
logger = get_logger(__name__)
logger.debug("Debug message")
logger.info("Info message")
logger.critical("Critical message")
logger.info("User action", extra={'user_id': '123', 'action': 'login', 'ip': '192.168.1.1'})
""",
    )

    text = (tmp_path / "dreamos.log").read_text()
    assert "[INFO] __main__: User action" in text
    assert "[CRITICAL] __main__: Critical message" in answer.stderr
    ours = lines_of(tmp_path / "ours.ndjson")
    assert [r["message"] for r in ours] == ["Info message", "Critical message", "User action"]
    assert ours[2]["ip"] == "192.168.1.1"


def test_seed_000_yaml_works_given_as_a_path(tmp_path):
    """`logging_config` names the YAML file; its rotating file and our records get the same."""
    (tmp_path / "logging.yaml").write_text(SEED_000)

    run(
        tmp_path,
        """
        import logging
        import clerestory
        clerestory.configure(logging_config="logging.yaml", destinations=["file:ours.ndjson"])
        logger = logging.getLogger('echodataflow')
        logger.info("Echodataflow started successfully.")
        logger.debug("detail %d", 1)
        """,
    )

    assert ":<module>:6 - Echodataflow started" in (tmp_path / "echodataflow.log").read_text()
    ours = lines_of(tmp_path / "ours.ndjson")
    assert [r["message"] for r in ours] == ["Echodataflow started successfully.", "detail 1"]
    assert ours[0]["lineno"] == 6


def test_our_handler_in_a_dictionary_takes_what_reaches_it(tmp_path):
    """`class: clerestory.integrations.stdlib.Handler` records its loggers and no others."""
    run(
        tmp_path,
        """
        import logging, logging.config
        logging.config.dictConfig({
            "version": 1,
            "handlers": {"ours": {
                "class": "clerestory.integrations.stdlib.Handler",
                "level": "WARNING",
                "service": "dict",
                "destinations": ["file:ours.ndjson"],
            }},
            "loggers": {"app": {"handlers": ["ours"], "level": "DEBUG"}},
        })
        logging.getLogger("app").info("below")
        logging.getLogger("app.part").warning("taken", extra={"k": 1})
        logging.getLogger("other").error("not ours")
        """,
    )

    ours = lines_of(tmp_path / "ours.ndjson")
    assert [(r["logger"], r["message"], r["k"]) for r in ours] == [("app.part", "taken", 1)]


def test_file_environment_and_argument_are_read_in_this_order(tmp_path):
    """An argument wins over the environment, the environment over the file."""
    (tmp_path / "clerestory.yaml").write_text("level: ERROR\nfile:\n  path: ours.ndjson\n")

    run(
        tmp_path,
        """
        import clerestory
        clerestory.configure(destinations=["file"])
        log = clerestory.get_logger("x")
        log.info("not by the file")
        log.warning("by the environment")
        """,
        CLERESTORY_LEVEL="WARNING",
    )

    assert [r["message"] for r in lines_of(tmp_path / "ours.ndjson")] == ["by the environment"]


def test_other_handlers_print_what_they_printed_before(tmp_path):
    """Lowering our level does not make somebody's console louder."""
    answer = run(
        tmp_path,
        """
        import logging
        logging.basicConfig(format="%(message)s")
        import clerestory
        clerestory.configure(destinations=["file:ours.ndjson"], level="DEBUG")
        logging.getLogger("x").info("quiet")
        logging.getLogger("x").warning("loud")
        """,
    )

    assert answer.stderr.split() == ["loud"]
    assert [r["message"] for r in lines_of(tmp_path / "ours.ndjson")] == ["quiet", "loud"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"levl": "INFO"}, ["levl", "level"]),
        ({"level": "LOUD"}, ["level", "LOUD", "TRACE"]),
        ({"destinations": ["cloudwatch9"]}, ["cloudwatch9", "console", "http"]),
        ({"destinations": ["file"]}, ["file.path"]),
        ({"endpoint": "ftp://x", "destinations": ["server"]}, ["ftp://x", "http"]),
        ({"logging_config": "/nowhere.yaml"}, ["/nowhere.yaml", "No such file"]),
    ],
)
def test_a_wrong_setting_is_one_clear_error(tmp_path, settings, words):
    """The message names the setting, what was got and what to write."""
    with pytest.raises(clerestory.ConfigurationError) as caught:
        clerestory.configure(spool_directory=str(tmp_path), **settings)

    for word in words:
        assert word in str(caught.value)


def test_sampling_limits_and_folding_never_touch_warnings_and_are_told(tmp_path):
    """What was kept back is counted in a record; WARNING and above always come."""
    run(
        tmp_path,
        """
        import clerestory
        clerestory.configure(
            destinations=["file:ours.ndjson"], sample_levels={"DEBUG": 0.0}, level="DEBUG",
            rate_limit_per_second=5, repeats_fold=True, repeats_window=60,
        )
        log = clerestory.get_logger("x")
        for i in range(100):
            log.debug("sampled out")
            log.info("the same")
            log.notice(f"each other {i}")
            log.warning("always")
        """,
    )

    records = lines_of(tmp_path / "ours.ndjson")
    messages = [r["message"] for r in records]
    assert messages.count("always") == 100
    assert "sampled out" not in messages
    assert messages.count("the same") == 1
    told = {r["held.reason"]: r["held.count"] for r in records if "held.reason" in r}
    kept_back = sum(r["held.count"] for r in records if "held.reason" in r)
    made = sum("held.reason" not in r for r in records)
    assert set(told) == {"sampled", "rate_limited", "repeated"}
    assert made + kept_back == 400


def test_console_is_text_for_people_and_json_for_pipes(tmp_path):
    """A pipe gets JSON lines with ISO times; text escapes what could move a cursor."""
    program = """
        import clerestory
        clerestory.configure(destinations=["console"])
        clerestory.get_logger("x").info("hello \\x1b[31m \\u202e", order=7)
        """
    piped = run(tmp_path, program)
    text = run(tmp_path, program, CLERESTORY_CONSOLE_FORMAT="text")

    record = json.loads(piped.stderr)
    assert record["order"] == 7
    assert record["timestamp"].endswith("Z")
    assert "hello \\x1b[31m \\u202e order=7" in text.stderr
    assert "\x1b" not in text.stderr


def test_nothing_is_left_in_the_spool_after_a_clean_exit(tmp_path):
    """A delivered spool is removed."""
    run(
        tmp_path,
        """
        import clerestory
        clerestory.configure(destinations=["console"])
        clerestory.get_logger("x").info("hello")
        """,
    )

    assert list((tmp_path / "spool").iterdir()) == []


def test_import_costs_little_and_loads_no_server(tmp_path):
    """msgspec, which imports typing_extensions where it finds it, and the library: no more."""
    answer = run(
        tmp_path,
        """
        import sys
        before = set(sys.modules)
        import clerestory
        clerestory.get_logger("x")
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        known = {"clerestory", "msgspec", "typing_extensions", *sys.stdlib_module_names}
        foreign = new - known
        print(sorted(foreign), [n for n in sys.modules if n.startswith("clerestory.server")])
        """,
    )

    assert answer.stdout.strip() == "[] []"


def test_logging_module_is_left_usable():
    """The standard library's own functions stay what they are."""
    assert logging.getLevelName("INFO") == 20
