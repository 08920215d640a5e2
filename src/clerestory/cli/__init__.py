"""The keys of the house: `clerestory COMMAND`, one file a command.

    shell -> [cli] -> server, store, spool

Invariant: `clerestory --help` imports click and this file only; a command's module is imported
when that command runs.
"""

import os
import sys
from importlib import import_module
from typing import Final

import click

# Name of the command: (module, attribute, one line of help, shown without importing it).
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "up": ("up", "up", "Start the server."),
    "run": ("run", "run", "Run a program with its logs captured."),
    "env": ("env", "env", "Print the variables that point a program here."),
    "tail": ("tail", "tail", "Show records as they arrive."),
    "query": ("query", "query", "Search the store, or run a Logs Insights query."),
    "send": ("send", "send", "Send log files, or standard input."),
    "agent": ("agent", "agent", "Ship what other programs have in their spools."),
    "letters": ("letters", "letters", "Show, resend or remove records that were refused."),
    "demo": ("demo", "demo", "Run three real programs and check that nothing is lost."),
    "config": ("config", "config", "Show every setting, its value and origin."),
    "doctor": ("doctor", "doctor", "Check this machine and the destinations."),
    "completion": ("completion", "completion", "Print the shell's completion script."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _help = COMMANDS[cmd_name]
        command = getattr(import_module(f"clerestory.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; an error that was raised on purpose becomes one line and exit code 1."""
        from clerestory.model.errors import ClerestoryError

        try:
            return super().invoke(ctx)
        except ClerestoryError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            # `clerestory query … | head`: the reader has enough. What is still buffered would
            # fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{what}{error.strerror or error}") from error


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from clerestory import __version__

    click.echo(f"clerestory {__version__}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Logs of Python programs: crash-safe, searchable, on one page.

    Start the server with `clerestory up`, then open http://localhost:4318.
    """
