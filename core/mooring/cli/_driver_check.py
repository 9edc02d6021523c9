"""``mooring driver check``."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from mooring.cli._output import json_option, say, say_json
from mooring.cli._target import Seconds, typed_options, url_arguments

if TYPE_CHECKING:
    from mooring.core import DriverInfo

_TABLE = "database"
_NEEDED = ("pytest", "hypothesis")
_PLACE = "path"


@click.command()
@click.argument("name")
@url_arguments
@click.option(
    "--config", "file", metavar="FILE", help="A TOML file with options of the driver."
)
@click.option(
    "--group", "groups", multiple=True, help="A group to run, repeatable; all if none."
)
@click.option(
    "--timeout",
    type=Seconds(),
    default=60.0,
    show_default=True,
    help="How long a test may take.",
)
@json_option
def command(
    *,
    name: str,
    target: str | None,
    options: tuple[str, ...],
    file: str | None,
    groups: tuple[str, ...],
    timeout: float,
    as_json: bool,
) -> int:
    """Run the contract on the driver NAME; exit 1 if it is not conformant.

    Each test gets a store of its own: in TARGET, in options and in FILE, {tmp} stands
    for a new folder, and {unique} for a new short name. A driver that has the option
    path needs neither: it gets a new place by itself.
    """
    from mooring import core

    _require_testing()
    info = core.default_registry().info(name)
    given = _given(info, target, options, file)

    from mooring.testing.check import check_driver, group_names, lines

    unknown = sorted(set(groups) - set(group_names()))
    if unknown:
        raise click.UsageError(
            f"there is no group {', '.join(unknown)}; there are"
            f" {', '.join(group_names())}",
            click.get_current_context(),
        )
    progress = _Progress(quiet=as_json)
    report = check_driver(given, groups=groups, timeout=timeout, progress=progress.see)
    if as_json:
        say_json(**{key: value for key, value in report.items() if key != "schema"})
    else:
        for line in lines(report):
            say(line)
    return 1 if report["verdict"] == "not conformant" else 0


class _MissingExtraError(click.ClickException):
    """What the contract is written with is not installed."""

    hint = (
        "install mooring[testing], which brings what it needs, from where mooring came"
    )


def _require_testing() -> None:
    """Fail if what the extra brings is not there, without importing it."""
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise _MissingExtraError(f"the contract needs {' and '.join(missing)}")


def _given(
    info: "DriverInfo", target: str | None, texts: Sequence[str], file: str | None
) -> dict[str, object]:
    """Return the options that the command line stands for, placeholders in them."""
    from mooring import core

    if target and file:
        raise click.UsageError("TARGET and --config exclude each other")
    found: dict[str, object] = {}
    if target:
        driver, found = core.parse_url(target)
        if driver != info.name:
            raise click.UsageError(f"TARGET is of the driver {driver}, not {info.name}")
    found |= typed_options(info.config_class, texts, given=found)
    if file:
        found = {**_read(file, info), **found}
    elif _PLACE in core.option_fields(info.config_class):
        found.setdefault(_PLACE, "{tmp}/store")
    elif not found:
        raise click.UsageError(
            f"the driver {info.name} has no option {_PLACE}, so say what its stores"
            " are: TARGET, -o KEY=VALUE or --config FILE; write {tmp} for a folder, or"
            " {unique} for a name, that is new in each test"
        )
    return {**found, "driver": info.name}


def _read(file: str, info: "DriverInfo") -> Mapping[str, Any]:
    """Return the options in a TOML file: at its top, or in ``[database]``."""
    import tomllib

    from mooring.core import ConfigError, Problem

    problem = None
    options: dict[str, Any] = {}
    try:
        with open(file, "rb") as text:
            options = tomllib.load(text)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML: {error}"
    if problem:
        # Outside the except blocks: what the file holds is in no context.
        raise ConfigError([Problem(file, problem)])
    table = options.get(_TABLE, options)
    if not isinstance(table, dict):
        raise ConfigError([Problem(_TABLE, "must be a table, [database]")])
    driver = table.pop("driver", info.name)
    if driver not in (info.name, *info.aliases):
        raise ConfigError([Problem("driver", f"is not {info.name}, which is checked")])
    return table


class _Progress:
    """A line for each group on stderr, where that is a terminal.

    Args:
        quiet: Write nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._quiet = quiet or not terminal
        self._tests: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._bad: dict[str, int] = {}

    def see(self, event: dict[str, Any]) -> None:
        """Show an event of the run."""
        if event["event"] == "selected":
            self._tests = event["tests"]
            return
        group, outcome = event["group"], event["outcome"]
        self._done[group] = self._done.get(group, 0) + 1
        if outcome in ("failed", "error", "skipped"):
            self._bad[group] = self._bad.get(group, 0) + 1
        if self._quiet:
            return
        done, tests = self._done[group], self._tests[group]
        bad = f", {self._bad[group]} not passed" if group in self._bad else ""
        # The line is written anew until its group is done.
        click.echo(
            f"\r  {group:<20} {done:>3}/{tests}{bad}", err=True, nl=done >= tests
        )
