"""What a command draws: sections, rows and checks, in colour on a terminal."""

import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Final

from mooring.cli._output import is_quiet, plural, say, table
from mooring.core import Check

_WIDTH: Final = 78
_STYLES: Final = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "unknown": "yellow",
}


class Page:
    """What a command tells, and the checks that it made on the way.

    Args:
        quiet: Write nothing; only keep the checks.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.checks: list[Check] = []
        self._quiet = quiet or is_quiet()
        self._sections = 0
        self._terminal = (
            not self._quiet and sys.stdout is not None and sys.stdout.isatty()
        )

    @property
    def ok(self) -> bool:
        """Whether no check failed, or could not be made."""
        return not self._bad()

    def section(self, title: str, why: str) -> None:
        """Begin a section: a numbered title, and why it matters."""
        self._sections += 1
        self.line()
        self.line(f"{self._sections}. {title}", style="bold cyan")
        for line in wrap(why, _WIDTH - 3):
            self.line(f"   {line}", style="dim")
        self.line()

    def rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows with aligned columns."""
        for line in table(rows, indent="   "):
            self.line(line)

    def look(self, checks: Sequence[Check]) -> None:
        """Write checks, a line each and one for the fix, and keep them."""
        self.checks += checks
        rows = [(check.status, check.name, check.detail) for check in checks]
        for check, line in zip(checks, table(rows, indent="   "), strict=True):
            self.line(line, style=_STYLES[check.status])
            if check.fix:
                self.line(f"      fix: {check.fix}")

    def total(self) -> None:
        """Write how many checks there were, and how many failed."""
        failed = self._bad()
        warned = sum(check.status == "warning" for check in self.checks)
        told = f"{failed} of them FAILED" if failed else "all ok"
        if warned:
            told += f", {plural(warned, 'warning')}"
        style = "bold red" if failed else "bold green"
        self.line()
        self.line(f"{plural(len(self.checks), 'check')}, {told}.", style=style)

    def _bad(self) -> int:
        return sum(check.status not in ("ok", "warning") for check in self.checks)

    def line(self, text: str = "", *, style: str = "") -> None:
        """Write one line."""
        if self._quiet:
            return
        if not self._terminal:
            say(text)
            return
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False).print(Text(text, style=style), soft_wrap=True)


def verdict(name: str, *, ok: bool, detail: str) -> Check:
    """Return a check of the demo's own."""
    return Check(name=name, status="ok" if ok else "failed", detail=detail)


def matches(name: str, found: object, wanted: object, detail: str) -> Check:
    """Return a check that is ok, with *detail*, if *found* is *wanted*."""
    if found == wanted:
        return verdict(name, ok=True, detail=detail)
    return verdict(name, ok=False, detail=f"{found}, not {wanted}")
