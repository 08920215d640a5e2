"""Runs commands as a shell does: in a process of their own, in a home of their own."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
COMMAND = [sys.executable, "-c", "from clerestory.cli import main; main(prog_name='clerestory')"]


class Shell:
    """A home directory, a server's address, and commands that see nothing else."""

    def __init__(self, home: Path, endpoint: str = "http://127.0.0.1:9") -> None:
        self.home = home
        strange = ("CLERESTORY_", "OTEL_", "XDG_")
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
        self.environ |= {
            "HOME": str(home),
            "CLERESTORY_ENDPOINT": endpoint,
            "PYTHONPATH": str(SOURCE),
            "CLERESTORY_SPOOL_DIRECTORY": str(home / "spool"),
        }

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        """Start a command; the caller waits for it."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [*COMMAND, *arguments],
            cwd=self.home,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(
        self, *arguments: str, text: str = "", **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, `text` being its standard input."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.home,
            env=self.environ | environ,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
