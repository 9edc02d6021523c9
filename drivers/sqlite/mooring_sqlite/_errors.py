"""SQLite's errors as those of mooring (sqlite.org/rescode.html)."""

from __future__ import annotations

import re
import sqlite3

from mooring.core import (
    CheckViolation,
    CorruptStoreError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OpenError,
    ParameterError,
    ReadOnlyError,
    SerializationError,
    StatementError,
    StatementNotAllowedError,
    StatementTimeoutError,
    StorageError,
    StorageFullError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    UniqueViolation,
)

_CONSTRAINTS: dict[int, type[IntegrityError]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ForeignKeyViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: CheckViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: NotNullViolation,
}
# What ``sqlite3`` raises for an error of the engine. A message that quotes a name which
# damage has made unreadable, Python cannot decode.
ENGINE_ERRORS = (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError)
# IOERR_FSYNC and IOERR_DIR_FSYNC: what was to be synced may be on the disk or not.
UNSYNCED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})

# Compiled when there is an error to look at.
_NEAR = r'near "((?:[^"]|"")+)"|unrecognized token: "(.+)"'


def translate_error(
    error: Exception, *, target: str, text: str = "", changes_rows: bool = False
) -> StoreError:
    """Return mooring's error for one of ``sqlite3``; the caller chains it.

    Args:
        error: What ``sqlite3`` raised.
        target: The database, for the message.
        text: The SQL text that was running, to find the place of a syntax error.
        changes_rows: It was an INSERT, UPDATE or DELETE.
    """
    code: int = getattr(error, "sqlite_errorcode", 0)
    message = str(error)
    if isinstance(error, UnicodeDecodeError):
        return _corrupt(target, "damaged", "a name in it is no UTF-8 text")
    found = _by_extended_code(code, message) or _by_primary_code(
        code & 0xFF, message, target
    )
    if found is None:
        found = _by_text(message, changes_rows=changes_rows)
    found.offset = _offset(message, text)
    return found


def is_unsynced(error: BaseException | None) -> bool:
    """Return whether *error* leaves open if what was written is on the disk."""
    return getattr(error, "sqlite_errorcode", 0) in UNSYNCED


def _by_extended_code(code: int, message: str) -> StoreError | None:
    if code in _CONSTRAINTS:
        return _CONSTRAINTS[code](message)
    if code == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return SerializationError(
            "another transaction committed after this one's snapshot began",
            hint="use store.run(), which runs it again",
        )
    return None


def _by_primary_code(code: int, message: str, target: str) -> StoreError | None:
    if code == sqlite3.SQLITE_CONSTRAINT:
        return IntegrityError(message)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            f"{target} is locked by another connection: {message}",
            hint="keep write transactions short, or raise busy_timeout",
        )
    if code == sqlite3.SQLITE_INTERRUPT:
        return StatementTimeoutError(
            "the statement ran longer than statement_timeout and was stopped",
            hint="make it faster (EXPLAIN QUERY PLAN), or raise statement_timeout",
        )
    if code == sqlite3.SQLITE_READONLY:
        return ReadOnlyError(
            "a write where only reads are possible",
            hint="write in store.transaction(), or with store.execute()",
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        what = "damaged" if code == sqlite3.SQLITE_CORRUPT else "not a database"
        return _corrupt(target, f"{what}, or encrypted", message)
    if code == sqlite3.SQLITE_FULL:
        return StorageFullError(
            f"no space left for {target}; the transaction was rolled back",
            hint="free space on the disk of the database file",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"reading or writing {target} failed: {message}",
            hint="look at the disk: space, quota, file size limit, hardware",
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return OpenError(
            f"{target} cannot be opened: {message}",
            hint="is the file still there, may it and its folder be written, are there"
            " too many open files?",
        )
    if code in (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE):
        return ParameterError(f"a value is too large for SQLite: {message}")
    return None


def _corrupt(target: str, what: str, why: str) -> CorruptStoreError:
    return CorruptStoreError(
        f"{target} is {what} ({why}); it was not changed",
        hint="restore it from a backup, or name another path; `sqlite3 FILE"
        " .recover` saves what can be read",
    )


def _by_text(message: str, *, changes_rows: bool) -> StoreError:
    """Tell apart what SQLite reports without a code of its own."""
    if message == "malformed JSON" and changes_rows:
        # A CHECK's JSON function that meets malformed text fails as SQLITE_ERROR.
        return CheckViolation("malformed JSON")
    if message == "incomplete input":
        return StatementError(
            "the statement is incomplete",
            hint="close its strings, parentheses and BEGIN ... END; in a migration, put"
            " it between `-- +goose StatementBegin` and `-- +goose StatementEnd`",
        )
    if message.startswith("You can only execute one statement"):
        return StatementNotAllowedError(
            "more than one statement", hint="execute them one by one"
        )
    if "closed database" in message:
        return StoreClosedError("the connection is closed")
    return StatementError(message)


def _offset(message: str, text: str) -> int | None:
    """Return the place in *text* that the message quotes, if it is the only one."""
    match = re.search(_NEAR, message)
    token = match and (match[1] or match[2])
    if not token or text.count(token) != 1:
        return None
    return text.index(token)
