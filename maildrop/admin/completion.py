"""``maildrop completion``: a script that makes the shell complete our commands."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: maildrop completion bash > /etc/bash_completion.d/maildrop
    """
    cls = get_completion_class(shell)
    if cls is None:
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root().command
    click.echo(cls(root, {}, "maildrop", "_MAILDROP_COMPLETE").source())
