"""What users import, what that costs, and what it must not load."""

import json
import statistics
import subprocess
import sys

import pytest

import clerestory
from clerestory.model import errors

pytestmark = pytest.mark.alone

# Frozen: a name that is taken away or renamed breaks somebody's program.
PUBLIC = {
    "clerestory": [
        "ClerestoryError",
        "ConfigurationError",
        "CustomLogLevel",
        "DatabaseLogStorage",
        "FileLogStorage",
        "LogAggregator",
        "LogLevel",
        "LogManager",
        "LogRotator",
        "bind",
        "configure",
        "flush",
        "get_logger",
        "request_context",
        "shutdown",
        "span",
        "stats",
        "unbind",
    ],
    "clerestory.model.errors": [
        "ClerestoryError",
        "ConfigurationError",
        "DataDirectoryInUseError",
        "DeliveryError",
        "HoldError",
        "LimitError",
        "QueryError",
        "RefusedError",
        "RetryError",
        "TooLargeError",
    ],
}
SERVER_PACKAGES = {
    "starlette", "uvicorn", "chdb", "websockets", "isal", "zstandard", "google", "rich", "yaml",
}  # fmt: skip
IMPORT_MS_MAX = 15.0
HELP_MS_MAX = 100.0
# Shared machines: the budget holds on a quiet one (make bench); here a gross slip is caught.
SLACK = 3.0


def _modules(program: str) -> set[str]:
    code = f"import sys; before = set(sys.modules)\n{program}\nimport json\n"
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", _with_path(code)], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def _with_path(code: str) -> str:
    return f"import sys; sys.path[:] = {sys.path!r}\n{code}"


def _median_ms(code: str) -> float:
    timed = f"import time; begin = time.perf_counter()\n{code}\n"
    timed += "print((time.perf_counter() - begin) * 1000)"
    command = [sys.executable, "-I", "-c", _with_path(timed)]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        for _ in range(7)
    ]
    return statistics.median(float(run) for run in runs)


def test_the_public_names_are_frozen():
    """A name is a promise."""
    found = {
        "clerestory": sorted(clerestory.__all__),
        "clerestory.model.errors": sorted(
            name for name, value in vars(errors).items() if isinstance(value, type)
        ),
    }

    assert found == PUBLIC


def test_every_public_name_can_be_imported_and_has_a_docstring():
    """The front door is lazy: a wrong room would show only at its first use."""
    for name in clerestory.__all__:
        assert getattr(clerestory, name).__doc__, name


def test_the_import_needs_msgspec_and_the_standard_library_only():
    """Programs pay for what they import, in time, memory and conflicts of versions."""
    loaded = _modules("import clerestory; clerestory.get_logger; clerestory.request_context")

    foreign = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    # msgspec takes typing_extensions if some other package brought it.
    assert foreign <= {"clerestory", "msgspec", "typing_extensions"}
    assert not [name for name in loaded if name.startswith(("clerestory.server", "clerestory.cli"))]


def test_a_running_pipeline_never_loads_the_server():
    """`import clerestory` in a program must not bring a database with it."""
    loaded = _modules("import clerestory; clerestory.configure(spool_mode='memory')")

    assert not SERVER_PACKAGES & {name.partition(".")[0] for name in loaded}
    assert not [name for name in loaded if name.startswith("clerestory.server")]


def test_the_import_is_fast():
    """It is in the start of every command line program that logs."""
    assert _median_ms("import clerestory") < IMPORT_MS_MAX * SLACK


def test_help_is_fast_and_imports_no_command():
    """Shell completion asks on every Tab."""
    code = "import contextlib, io\nfrom clerestory.cli import main\n"
    code += "with contextlib.redirect_stdout(io.StringIO()):\n"
    code += "    main(['--help'], standalone_mode=False)"

    loaded = _modules(code)

    foreign = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert foreign <= {"clerestory", "click"}
    assert _median_ms(code) < HELP_MS_MAX * SLACK
