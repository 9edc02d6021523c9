"""``mooring completion``."""

import click

from mooring.cli._output import json_option, say, say_json

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@json_option
def command(*, shell: str, as_json: bool) -> None:
    """Write the script with which SHELL completes `mooring` at the prompt.

    For bash, add to ~/.bashrc: eval "$(mooring completion bash)"
    """
    from click.shell_completion import get_completion_class

    from mooring.cli._app import app

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click brings all of them
    script = kind(app, {}, "mooring", "_MOORING_COMPLETE").source()
    if as_json:
        say_json(shell=shell, script=script)
    else:
        say(script)
