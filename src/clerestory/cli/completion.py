"""`clerestory completion`: the script that completes commands and options in a shell."""

import click
from click.shell_completion import get_completion_class

from clerestory.cli import main


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell's completion script.

    \b
    bash:  eval "$(clerestory completion bash)"
    zsh:   eval "$(clerestory completion zsh)"
    fish:  clerestory completion fish | source
    """  # noqa: D301 click reads the backspace
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "clerestory", "_CLERESTORY_COMPLETE").source())
