"""`warpkit completion`: the shell completes subcommands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete this command.

    \b
    eval "$(warpkit completion bash)"                                       in ~/.bashrc
    eval "$(warpkit completion zsh)"                                        in ~/.zshrc
    warpkit completion fish > ~/.config/fish/completions/warpkit.fish       once
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows all of SHELLS"
    click.echo(kind(context.find_root().command, {}, "warpkit", "_WARPKIT_COMPLETE").source())
