"""DuckDB's errors as those of mooring.

The engine tells them apart by its exceptions' classes and, within one, by their texts.
It writes both as JSON (``errors_as_json``), with the place in the statement.
"""

import json
import re
from typing import Any, Final

import duckdb
from mooring.core import (
    CheckViolation,
    CorruptStoreError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OpenError,
    ReadOnlyError,
    SerializationError,
    StatementError,
    StatementTimeoutError,
    StorageError,
    StorageFullError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    TransactionAbortedError,
    UniqueViolation,
)

_CONSTRAINTS: Final = (
    (re.compile("duplicate key", re.IGNORECASE), UniqueViolation),
    (re.compile("foreign key"), ForeignKeyViolation),
    (re.compile("CHECK constraint"), CheckViolation),
    (re.compile("NOT NULL constraint"), NotNullViolation),
)
# The engine quotes values, which are no business of a log.
_VALUE: Final = re.compile(r"(\bkey|\bstring|  Input:) [\"'].*[\"']", re.DOTALL)


def translate_error(
    error: duckdb.Error, *, text: str = "", changes_rows: bool = False
) -> StoreError:
    """Return mooring's error for one of DuckDB; the caller chains it.

    Args:
        error: What the engine raised.
        text: The SQL text that was running, to tell the place in it.
        changes_rows: It was an INSERT, UPDATE or DELETE.
    """
    details = _details(error)
    first, *more = _VALUE.sub(r"\1", details["exception_message"]).splitlines() or [""]
    found = _by_class(error, first, changes_rows=changes_rows)
    if found is None:
        hint = "; ".join(line for line in more if "Did you mean" in line)
        found = StatementError(first or type(error).__name__, hint=hint or None)
    if "position" in details:
        # The engine counts bytes.
        before = text.encode()[: int(details["position"])]
        found.offset = len(before.decode(errors="ignore"))
    return found


def open_error(error: duckdb.Error, path: str) -> StoreError:
    """Return mooring's error for a database that could not be opened."""
    message = _details(error)["exception_message"].partition("\n")[0]
    if "Could not set lock" in message:
        holder = re.search(r"\(PID \d+\)", message)
        return StoreBusyError(
            f"{path} is open in another process {holder[0] if holder else ''}".rstrip(),
            hint="one process can have it open: close the other one, or raise"
            " connect_timeout",
        )
    if "not a valid DuckDB database" in message or "Extension" in message:
        return CorruptStoreError(
            f"{path} is not a DuckDB database; it was not changed",
            hint="remove the file, name another path, or restore it from a backup",
        )
    if "different configuration" in message:
        return OpenError(
            f"{path} is open in this process with another memory_limit or threads",
            hint="open all stores of one file with the same options",
        )
    return OpenError(
        f"{path} cannot be opened: {message}",
        hint="correct the path, or who may read and write the file and its folder",
    )


def is_locked(error: duckdb.Error) -> bool:
    """Return whether another process has the file open."""
    return "Could not set lock" in str(error)


def is_outcome_unknown(error: duckdb.Error) -> bool:
    """Return whether *error*, at a commit, leaves open if it was done."""
    return isinstance(error, duckdb.IOException | duckdb.FatalException)


def _details(error: duckdb.Error) -> dict[str, Any]:
    """Return what the engine wrote as JSON behind the kind of the error."""
    text = str(error)
    try:
        found = json.loads(text[text.index("{") :])
    except ValueError:
        return {"exception_message": text.partition(": ")[2] or text}
    return found if isinstance(found, dict) else {"exception_message": text}


def _by_class(
    error: duckdb.Error, message: str, *, changes_rows: bool
) -> StoreError | None:
    match error:
        case duckdb.ConstraintException():
            kinds = (kind for text, kind in _CONSTRAINTS if text.search(message))
            return next(kinds, IntegrityError)(message)
        case duckdb.TransactionException():
            return _of_transaction(message)
        case duckdb.InterruptException():
            return StatementTimeoutError(
                "the statement ran longer than statement_timeout and was stopped",
                hint="make it faster (EXPLAIN ANALYZE), or raise statement_timeout",
            )
        case duckdb.ConversionException() if changes_rows and message.startswith(
            "Malformed JSON"
        ):
            # Where other engines check a text, this one converts it to its JSON type.
            return CheckViolation("malformed JSON")
        case duckdb.OutOfMemoryException():
            return StatementError(message, hint="raise memory_limit")
        case duckdb.IOException() if "No space left" in message:
            return StorageFullError(message, hint="free space on the database's disk")
        case duckdb.IOException():
            return StorageError(message, hint="look at the disk of the database")
        case duckdb.FatalException() | duckdb.InternalException():
            return StorageError(
                message, hint="close every store of the database, and open it again"
            )
        case duckdb.ConnectionException():
            return StoreClosedError("the connection is closed")
    return None


def _of_transaction(message: str) -> StoreError:
    if "read-only" in message:
        return ReadOnlyError(
            "a write where only reads are possible",
            hint="write in store.transaction(), or with store.execute()",
        )
    if "duplicate key" in message:
        return UniqueViolation(message)
    if "foreign key" in message:
        return ForeignKeyViolation(message)
    if "onflict" in message or message.startswith("Failed to commit"):
        return SerializationError(
            f"another transaction changed the same: {message}",
            hint="run the whole transaction again",
        )
    if "aborted" in message:
        return TransactionAbortedError(message)
    return StatementError(message)
