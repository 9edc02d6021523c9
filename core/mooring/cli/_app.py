"""The grammar's root: verbs by name, each imported when it is invoked."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from mooring import __version__

# Verb -> module, and its line of `mooring --help`: that imports none of them. Where a
# module has several verbs, a colon and the name of the command follow.
_VERBS = {
    "drivers": ("_drivers", "List the drivers: usable or not, and why."),
    "config": ("_config", "Show a configuration, and where it comes from."),
    "health": ("_health", "Check a store, without writing to it."),
    "doctor": ("_doctor", "Look deeper, and say how to fix what is wrong."),
    "migrate": ("_migrate", "Bring a store's schema up or down, or look at it."),
    "driver": ("_driver", "For the authors of drivers: begin one, or prove it."),
    "demo": ("_demo", "Open a new store and run a small workload on it."),
    "completion": ("_completion", "Write a script that completes at the prompt."),
    "version": ("_version", "Say which versions are installed."),
}


class VerbGroup(click.Group):
    """A group that helps with a verb that is unknown or missing."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that *args* begin with; an unknown one says what is near."""
        name, verbs = args[0], self.list_commands(ctx)
        unknown = name not in verbs and not name.startswith("-")
        if unknown and not ctx.resilient_parsing:  # as while it completes
            from difflib import get_close_matches

            near = get_close_matches(name, verbs, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; without any argument, print the help and exit as a usage error."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)


class LazyGroup(VerbGroup):
    """A group that imports a verb's module when the verb is invoked."""

    verbs: Mapping[str, tuple[str, str]] = _VERBS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the verbs, in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return a verb's command, imported now."""
        if cmd_name not in self.verbs:
            return None
        module, _, name = self.verbs[cmd_name][0].partition(":")
        found = import_module(f"mooring.cli.{module}")
        command: click.Command = getattr(found, name or "command")
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the table of verbs; nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in self.verbs.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failed or unhealthy, 2 usage, 3 configuration,"
    " 4 driver, 5 migrations pending, 6 ahead or changed, 7 cannot connect or"
    " locked, 130 interrupted.",
)
@click.version_option(__version__, prog_name="mooring")
def app() -> None:
    """Open, migrate and check the stores that configurations name.

    Results go to stdout, everything else to stderr. Each command takes --json and
    then writes exactly one JSON object.
    """


def run(args: Sequence[str]) -> int:
    """Run the command and return its exit code; errors are told, not raised."""
    try:
        code: object = app.main(list(args), prog_name="mooring", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - all are told
        from mooring.cli._errors import tell

        # Before the grammar has spoken there is no other way to know.
        return tell(error, as_json="--json" in args)
    return code if isinstance(code, int) else 0
