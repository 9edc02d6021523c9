"""Splits a migration file into statements exactly where goose v3 splits it.

It differs in three things, where goose loses SQL or refuses a file needlessly: a
block without SQL does not swallow the line after it, a byte order mark is skipped,
and a line may be of any length.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from mooring.core.errors import MigrationParseError
from mooring.migrate._migration import Migration, Statement
from mooring.migrate._source import is_python, version_of

# goose's idea of white space. str.strip() alone would also take U+001C to U+001F.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_MARK = "+goose"
_WORDS = {
    word.lower(): word
    for word in (
        "Up",
        "Down",
        "StatementBegin",
        "StatementEnd",
        "NO TRANSACTION",
        "ENVSUB ON",
        "ENVSUB OFF",
    )
}

_START, _UP, _UP_BLOCK, _DOWN, _DOWN_BLOCK = range(5)
_MOVES = {
    (_START, "Up"): _UP,
    (_UP, "StatementBegin"): _UP_BLOCK,
    (_UP_BLOCK, "StatementEnd"): _UP,
    (_UP, "Down"): _DOWN,
    (_DOWN, "StatementBegin"): _DOWN_BLOCK,
    (_DOWN_BLOCK, "StatementEnd"): _DOWN,
}
_BLOCKS = (_UP_BLOCK, _DOWN_BLOCK)


def parse(
    text: str | bytes, *, name: str, environ: Mapping[str, str] | None = None
) -> Migration:
    """Read a migration file, both directions of it; one in Python is not run.

    Args:
        text: The whole content; bytes are UTF-8.
        name: The file name, such as ``"00001_users.sql"``; it holds the version.
        environ: Variables for the parts under ``ENVSUB ON``; None means the
            environment of the process, read when a file asks for it.

    Raises:
        MigrationParseError: The name or the content is not a migration's.
    """
    return parse_noting(text, name=name, environ=environ)[0]


def parse_noting(
    text: str | bytes, *, name: str, environ: Mapping[str, str] | None = None
) -> tuple[Migration, list[int], list[int]]:
    """As `parse`, and return two lists of lines.

    Returns:
        The migration; the lines of blocks without SQL behind which goose loses SQL; and
        the lines at which pieces start that a block ended: their text was not cut.
    """
    version = version_of(name)
    if version is None:
        raise MigrationParseError(
            "this is not the name of a migration",
            file=name,
            line=None,
            hint="name it <version>_<words>.sql, or .py, with a version from 1 to"
            " 2**63 - 1",
        )
    if is_python(name):
        from mooring.migrate._python import parse_python

        return parse_python(_decoded(text, name), name=name, version=version), [], []
    splitter = _Splitter(name, environ)
    for line in _decoded(text, name).split("\n"):
        splitter.feed(line.removesuffix("\r"))
    splitter.close()
    migration = Migration(
        version=version,
        name=name,
        up=tuple(splitter.up),
        down=tuple(splitter.down),
        transaction=splitter.transaction,
    )
    return migration, splitter.swallowing, splitter.wrapped


def _decoded(text: str | bytes, name: str) -> str:
    try:
        # A text goes through bytes too: half a surrogate pair can be in no file.
        data = text if isinstance(text, bytes) else text.encode()
        return data.decode().removeprefix("\ufeff")
    except UnicodeError as error:
        line = None
        if isinstance(error, UnicodeDecodeError):
            line = error.object.count(b"\n", 0, error.start) + 1
        raise MigrationParseError(
            "the text is not valid UTF-8",
            file=name,
            line=line,
            hint="save the file as UTF-8",
        ) from error


class _Splitter:
    """The state machine: takes the lines one by one, collects the statements."""

    def __init__(self, name: str, environ: Mapping[str, str] | None) -> None:
        self.up: list[Statement] = []
        self.down: list[Statement] = []
        self.transaction = True
        self.swallowing: list[int] = []
        self.wrapped: list[int] = []
        self._empty = 0  # the line of a block without SQL, if nothing followed it yet
        self._name = name
        self._environ = environ
        self._envsub = False
        self._state = _START
        self._section = self.up
        self._number = 0
        self._block = 0  # the line of the last StatementBegin
        self._lines: list[str] = []  # of the statement that is not finished yet
        self._begun = 0  # the first of them with a text

    def feed(self, line: str) -> None:
        """Take the next line, without its line end."""
        self._number += 1
        if _MARK in line and _is_comment(line):
            self._obey(self._annotation(line))
        elif not self._lines and (not line or _is_comment(line)):
            # Only before a statement; inside of one, comments are its text.
            return
        elif self._state != _START:
            self._add(self._expanded(line) if self._envsub else line)
        elif line.strip(SPACE):
            raise self._error(
                "there is SQL before '-- +goose Up'",
                line=self._number,
                hint="write '-- +goose Up' above it",
            )

    def close(self) -> None:
        """Check that the file may end here."""
        if self._state == _START:
            raise self._error(
                "there is no '-- +goose Up' in the file",
                line=None,
                hint="write '-- +goose Up' above the first statement",
            )
        if self._state in _BLOCKS:
            raise self._error(
                "the block that begins here is not ended",
                line=self._block,
                hint="write '-- +goose StatementEnd' below its last line",
            )
        self._check_finished()

    def _add(self, line: str) -> None:
        if self._empty:
            if line.strip(SPACE):
                self.swallowing.append(self._empty)
            self._empty = 0  # a line of spaces is lost instead
        self._lines.append(line)
        if not self._begun and line.strip(SPACE):
            self._begun = self._number
        if self._state not in _BLOCKS and _ends_statement(line):
            self._finish()

    def _finish(self) -> None:
        sql = "\n".join(self._lines).strip(SPACE)
        self._section.append(Statement(sql=sql, line=self._begun))
        self._clear()

    def _clear(self) -> None:
        self._lines = []
        self._begun = 0

    def _expanded(self, line: str) -> str:
        from mooring.migrate._envsub import expand

        environ = os.environ if self._environ is None else self._environ
        try:
            return expand(line, environ)
        except ValueError as error:
            raise self._error(
                f"a variable cannot be replaced: {error}",
                line=self._number,
                hint="set the variable; for a plain dollar sign write $$, or"
                " '-- +goose ENVSUB OFF' above the statement",
            ) from error

    def _annotation(self, line: str) -> str:
        text = line.replace("--", "").replace(_MARK, "", 1).strip(SPACE)
        if line.startswith((" ", "\t")):
            problem = "the annotation is indented"
        elif _MARK in text:
            problem = "there are two '+goose' in one line"
        elif not text:
            problem = "the annotation is empty"
        elif _folded(text) not in _WORDS:
            problem = f"there is no annotation {text[:40]!r}"
        else:
            return _WORDS[_folded(text)]
        raise self._error(
            problem,
            line=self._number,
            hint="at the start of a line write '-- +goose ' and one of "
            + ", ".join(_WORDS.values())
            + "; no other comment may contain '+goose'",
        )

    def _obey(self, word: str) -> None:
        if word == "NO TRANSACTION":
            self.transaction = False
        elif word.startswith("ENVSUB"):
            self._envsub = word == "ENVSUB ON"
        elif (self._state, word) not in _MOVES:
            raise self._misplaced(word)
        else:
            self._empty = 0
            self._leave(word)
            self._state = _MOVES[self._state, word]

    def _leave(self, word: str) -> None:
        if word == "StatementBegin":
            self._block = self._number
        elif word == "Down":
            self._check_finished()
            self._section = self.down
        elif word == "StatementEnd" and self._has_sql():
            self.wrapped.append(self._begun)
            self._finish()
        elif word == "StatementEnd":
            # After any line that it keeps, a line of spaces too, goose loses nothing.
            self._empty = 0 if self._lines else self._block
            self._clear()

    def _has_sql(self) -> bool:
        # Joined first: the value of a variable may hold lines of its own.
        lines = "\n".join(self._lines).split("\n")
        return any(line.strip(SPACE) and not _is_comment(line) for line in lines)

    def _check_finished(self) -> None:
        if self._begun:
            if self._has_sql():
                problem = "the statement that begins here does not end"
                hint = (
                    "write ';' at the end of its last line, where only a comment after"
                    " a space may follow, or wrap it in '-- +goose StatementBegin' and"
                    " '-- +goose StatementEnd'"
                )
            else:
                problem = "this comment is taken for a statement that does not end"
                hint = "remove the spaces from the blank line above it"
            raise self._error(problem, line=self._begun, hint=hint)
        self._clear()

    def _misplaced(self, word: str) -> MigrationParseError:
        if self._state == _START:
            problem = f"there is '-- +goose {word}' before '-- +goose Up'"
            hint = "write '-- +goose Up' above it"
        elif word == "StatementEnd":
            problem = "there is no block to end here"
            hint = "write '-- +goose StatementBegin' above the statement"
        elif self._state in _BLOCKS:
            problem = (
                f"'-- +goose {word}' is inside the block that line {self._block} begins"
            )
            hint = "write '-- +goose StatementEnd' above it"
        else:
            problem = f"this is the second '-- +goose {word}'"
            hint = "write one Up section, then at most one Down section"
        return self._error(problem, line=self._number, hint=hint)

    def _error(
        self, problem: str, *, line: int | None, hint: str
    ) -> MigrationParseError:
        return MigrationParseError(problem, file=self._name, line=line, hint=hint)


def _folded(text: str) -> str:
    """Return what goose compares: one letter by one, of which the long s is an s."""
    return text.lower().replace("\u017f", "s")


def _is_comment(line: str) -> bool:
    return line.lstrip(SPACE).startswith("--")


def _ends_statement(line: str) -> bool:
    """Tell if the last word before a comment ends with ``;``.

    A comment is a word that starts with ``--``, even inside a string.
    """
    comment = line.find("--")
    while comment > 0 and line[comment - 1] not in SPACE:
        comment = line.find("--", comment + 1)
    if comment >= 0:
        line = line[:comment]
    return line.rstrip(SPACE).endswith(";")
