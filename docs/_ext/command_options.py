"""Directive ``command``: how a verb of `mooring` is written, and what it takes.

It is generated from click's own description, which ``mooring VERB --help`` shows.
"""

from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from mooring.cli._app import app
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Command(SphinxDirective):
    """``{command} migrate up``: its usage, arguments and options."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the usage, and the table of the options."""
        context, command = find(self.arguments[0].split())
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        rows = rows_of(command)
        lines = ["```text", usage, "```", ""]
        if rows:
            lines += ["| option | meaning |", "| - | - |"]
            lines += [f"| {names} | {meaning} |" for names, meaning in rows]
        holder = nodes.container()
        text = StringList(lines, source=f"mooring {self.arguments[0]}")
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def find(words: list[str]) -> tuple[click.Context, click.Command]:
    """Return a verb, and the context in which it is called."""
    context: click.Context = click.Context(app, info_name="mooring")
    command: Any = app
    for word in words:
        command = command.get_command(context, word)
        if command is None:
            raise ValueError(f"there is no verb mooring {' '.join(words)}")
        context = click.Context(command, parent=context, info_name=word)
    return context, command


def rows_of(command: click.Command) -> list[tuple[str, str]]:
    """Return the options of a verb: how they are written, and what they mean."""
    context = click.Context(command)
    found = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record and not _is_common(parameter):
            names, meaning = record
            found.append((f"`{names}`", meaning.replace("|", "\\|")))
    return found


def _is_common(option: click.Option) -> bool:
    """Return whether every verb takes it: the page tells of those once."""
    return not option.expose_value or bool({"--json", "--help"} & {*option.opts})


def setup(sphinx: Sphinx) -> dict[str, object]:
    """Register the directive."""
    sphinx.add_directive("command", Command)
    return {"version": "1", "parallel_read_safe": True}
