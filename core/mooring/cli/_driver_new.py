"""``mooring driver new``."""

import keyword
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

from mooring import __version__
from mooring.cli._output import json_option, plural, say, say_json

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Drivers that come with mooring: taken, also where they are not installed.
_OURS: Final = ("postgres", "postgresql", "sqlite")
# Of each template: without it, it is the name of the file.
_SUFFIX: Final = ".in"
_NEXT: Final = (
    "python -m pip install -e '.[test]'",
    "python -m pytest",
    "mooring drivers",
)


class _NotWritten(click.ClickException):
    """The folder of the new driver was not written."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@click.command()
@click.argument("name")
@click.option(
    "--path",
    "parent",
    default=".",
    metavar="DIR",
    help="The folder that gets the new one; the current folder by default.",
)
@json_option
def command(*, name: str, parent: str, as_json: bool) -> None:
    """Write a new driver NAME, in the folder mooring-NAME.

    It is complete and passes the contract as it is, on the standard library's sqlite3;
    its README says what to replace, in which order.
    """
    _require_free(name)
    target = os.path.normpath(os.path.join(parent, f"mooring-{_dashed(name)}"))
    files = _write(target, _words(name))
    if as_json:
        say_json(driver=name, path=os.path.abspath(target), files=files, next=_NEXT)
        return
    say(f"wrote {target}: {plural(len(files), 'file')}, a driver that works as it is")
    say()
    for step in (f"cd {shlex.quote(target)}", *_NEXT):
        say(f"  {step}")
    say()
    say("Then make it yours: README.md says what to replace, in which order.")


def _require_free(name: str) -> None:
    """Fail unless *name* can be that of a new driver.

    Raises:
        click.UsageError: It is no name, or it is taken.
    """
    from importlib.util import find_spec

    from mooring import core

    ctx = click.get_current_context()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name.endswith("_"):
        raise click.UsageError(
            f"{name!r} is no name of a driver: write lower-case letters, digits and"
            " underscores, a letter first",
            ctx,
        )
    if keyword.iskeyword(name):
        raise click.UsageError(f"{name!r} is a word of Python", ctx)
    if name in _OURS:
        raise click.UsageError(f"the driver {name!r} comes with mooring", ctx)
    for entry in core.drivers():
        if entry.name == name:
            raise click.UsageError(
                f"the driver {name!r} is installed, from {entry.distribution}", ctx
            )
    if find_spec(f"mooring_{name}") is not None:
        raise click.UsageError(f"the package mooring_{name} is installed", ctx)


def _dashed(name: str) -> str:
    """Return *name* as it stands in the name of a distribution (PEP 503)."""
    return re.sub("_+", "-", name)


def _words(name: str) -> dict[str, str]:
    """Return what stands in the files for the words of the templates."""
    major, minor = __version__.split(".")[:2]
    # Before 1.0 a minor version may change names.
    end = f"{major}.{int(minor) + 1}" if major == "0" else f"{int(major) + 1}"
    return {
        "@CLASS@": "".join(word.capitalize() for word in name.split("_")),
        "@DASHED@": _dashed(name),
        "@NAME@": name,
        "@RANGE@": f">={major}.{minor},<{end}",
    }


def _write(target: str, words: Mapping[str, str]) -> list[str]:
    """Write the folder *target*, all of it or nothing; return its files.

    Raises:
        click.ClickException: It exists, or cannot be written.
    """
    from importlib.resources import files

    if os.path.lexists(target):
        raise _NotWritten(
            f"{target} exists; nothing was changed",
            hint="give another name, or another folder with --path",
        )
    templates = files("mooring.cli").joinpath("templates", "driver")
    try:
        unfinished = tempfile.mkdtemp(
            prefix=".mooring-", dir=os.path.dirname(target) or "."
        )
    except OSError as cause:
        raise _failed(target, cause) from cause
    try:
        made = sorted(_fill(templates, unfinished, words))
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(unfinished, 0o777 & ~umask)  # mkdtemp's own are for nobody else
        os.rename(unfinished, target)
    except BaseException as cause:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(cause, OSError):
            raise _failed(target, cause) from cause
        raise
    return made


def _failed(target: str, cause: OSError) -> _NotWritten:
    return _NotWritten(
        f"{target} cannot be written: {cause.strerror}; nothing is left of it",
        hint="name a folder that exists and may be written with --path",
    )


def _fill(
    templates: "Traversable", folder: str, words: Mapping[str, str], within: str = ""
) -> Iterator[str]:
    """Fill *folder* from the templates, and yield each file's path in it."""
    for template in templates.iterdir():
        name = _filled(template.name, words).removesuffix(_SUFFIX)
        path = f"{within}{name}"
        if template.is_dir():
            os.mkdir(os.path.join(folder, path))
            yield from _fill(template, folder, words, f"{path}/")
        elif template.name.endswith(_SUFFIX):
            text = _filled(template.read_text(encoding="utf-8"), words)
            with open(os.path.join(folder, path), "x", encoding="utf-8") as file:
                file.write(text)
            yield path


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text
