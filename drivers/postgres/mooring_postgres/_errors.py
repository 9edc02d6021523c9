"""PostgreSQL's errors as those of mooring.

Told apart by SQLSTATE (PostgreSQL, appendix A, "PostgreSQL Error Codes") and by the
server's source file, never by texts, which are in the language of the server.
"""

import re
from typing import Final

import psycopg
from mooring.core import (
    CheckViolation,
    ConnectionLostError,
    CorruptStoreError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OutcomeUnknownError,
    ParameterError,
    ReadOnlyError,
    SerializationError,
    StatementError,
    StatementTimeoutError,
    StorageError,
    StorageFullError,
    StoreBusyError,
    StoreError,
    TransactionAbortedError,
    UniqueViolation,
)

from mooring_postgres._connection import DeadlineError

_CONSTRAINTS: Final[dict[str, type[IntegrityError]]] = {
    "23001": ForeignKeyViolation,  # restrict_violation
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "44000": CheckViolation,  # with_check_option_violation
}
# With one of these the server ends the session (PostgreSQL, section 19.8.2). A function
# may raise any SQLSTATE, so those of lost connections too: it speaks of another one.
_ENDS_SESSION: Final = frozenset({"FATAL", "PANIC"})
_RUN_AGAIN: Final = "use store.run(), which runs it again"
# JSON text is parsed in these of the server's files.
_JSON_SOURCES: Final = frozenset({"json.c", "jsonapi.c", "jsonb.c", "jsonfuncs.c"})
_WRITES: Final = r"\b(INSERT|UPDATE|DELETE|MERGE)\b"
_READS: Final = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN"})


def translate_error(
    error: psycopg.Error, *, changes_rows: bool = False, cancelled: bool = False
) -> StoreError:
    """Return mooring's error for one that the server sent; the caller chains it.

    Args:
        error: What psycopg raised, on a connection that is still there.
        changes_rows: It was an INSERT, UPDATE or DELETE.
        cancelled: We asked the server to cancel the statement, at its deadline.
    """
    state = error.sqlstate or ""
    message = error.diag.message_primary or _first_line(error)
    found = (
        _integrity(error, state, message, changes_rows=changes_rows)
        or _conflict(error, state, message)
        or _stopped(state, message, cancelled=cancelled)
        or _server(state, message)
        or _statement(state, message)
    )
    position = error.diag.statement_position
    found.offset = int(position) - 1 if position else None
    return found


def is_lost(error: psycopg.Error, *, closed: bool, waiting: bool) -> bool:
    """Return whether *error* means that the connection is gone.

    libpq may not have noticed yet: psycopg looks at the socket as well, and then raises
    an OperationalError that no server sent, so without SQLSTATE.

    Args:
        error: What psycopg raised.
        closed: libpq says that it is gone.
        waiting: The server was sent something, and has not answered: libpq refuses to
            send with such an error, too.
    """
    ours = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return (
        closed
        or (ours and waiting)
        or (error.diag.severity_nonlocalized or error.diag.severity) in _ENDS_SESSION
    )


def is_stale_plan(error: psycopg.Error) -> bool:
    """Return whether a prepared statement's columns changed since; nothing was done."""
    return error.diag.source_function == "RevalidateCachedQuery"


def may_write(sql: str, verb: str) -> bool:
    """Return whether a statement may have changed something when it was cut off.

    A SELECT that calls a function which writes is not seen to do so.
    """
    return verb not in _READS or re.search(_WRITES, sql, re.IGNORECASE) is not None


def lost(error: psycopg.Error, *, target: str, limit: float | None) -> StoreError:
    """Return the error for a connection that broke before anything was committed."""
    return ConnectionLostError(
        f"the connection to {target} {_how(error, limit)}; what was not committed is"
        " rolled back",
        hint="run it again; the store connects anew by itself",
    )


def unknown(error: psycopg.Error, *, target: str, limit: float | None) -> StoreError:
    """Return the error for one that broke while its work was being committed."""
    return OutcomeUnknownError(
        f"the connection to {target} {_how(error, limit)} while committing: the change"
        " may be there or not",
        hint="look at the data before you write it again",
    )


def _how(error: psycopg.Error, limit: float | None) -> str:
    if isinstance(error, DeadlineError):
        waited = "in time" if limit is None else f"within {limit:g} s"
        return f"was given up, the server did not answer {waited} (statement_timeout)"
    if error.sqlstate == "25P03":
        return "was ended by the server (idle_in_transaction_timeout)"
    if error.sqlstate:
        return f"was ended by the server ({error.diag.message_primary})"
    return "broke"


def _integrity(
    error: psycopg.Error, state: str, message: str, *, changes_rows: bool
) -> StoreError | None:
    if state in _CONSTRAINTS:
        return _CONSTRAINTS[state](message)
    if state.startswith("23"):
        return IntegrityError(message)
    if (
        changes_rows
        and state in ("22P02", "22P05")
        and (error.diag.source_file in _JSON_SOURCES)
    ):
        # What a CHECK refuses elsewhere, the type refuses here.
        return CheckViolation(f"malformed JSON: {message}")
    return None


def _conflict(error: psycopg.Error, state: str, message: str) -> StoreError | None:
    if state in ("40001", "40P01"):
        return SerializationError(
            f"conflict with another transaction: {message}", hint=_RUN_AGAIN
        )
    if is_stale_plan(error):
        return SerializationError(
            "the columns of a table changed since the statement was prepared",
            hint=_RUN_AGAIN,
        )
    if state == "55P03":
        return StoreBusyError(
            f"waited for a lock of another transaction: {message}",
            hint="keep transactions short, or raise lock_timeout",
        )
    if state == "25006":
        return ReadOnlyError(
            "a write where only reads are possible",
            hint="write in store.transaction(), or with store.execute(), on a server"
            " that is no standby",
        )
    if state == "25P02":
        return TransactionAbortedError(message)
    return None


def _stopped(state: str, message: str, *, cancelled: bool) -> StoreError | None:
    if state != "57014":
        return None
    if cancelled or "user request" not in message:
        return StatementTimeoutError(
            "the statement ran longer than statement_timeout and was stopped",
            hint="make it faster (EXPLAIN ANALYZE), or raise statement_timeout",
        )
    return StatementError(
        "the statement was cancelled on the server",
        hint="somebody called pg_cancel_backend for it; run it again",
    )


def _server(state: str, message: str) -> StoreError | None:
    """Tell apart what is wrong with the server rather than with the statement."""
    if state == "53100":
        return StorageFullError(
            f"no space left on the server; the statement was rolled back: {message}",
            hint="free space on the disk of the database server",
        )
    if state.startswith(("53", "58")):
        return StorageError(
            f"the server failed: {message}", hint="look at the server's log"
        )
    if state in ("XX001", "XX002"):
        return CorruptStoreError(
            f"the server found damaged data: {message}",
            hint="look at the server's log, and restore from a backup",
        )
    return None


def _statement(state: str, message: str) -> StoreError:
    if state in ("42P18", "42P08"):
        return StatementError(
            f"the type of a parameter is not known: {message}",
            hint="say it in the SQL: CAST(:name AS TEXT)",
        )
    if state == "42501":
        return StatementError(
            message, hint="grant the role what it needs, or use another one"
        )
    if state.startswith("54"):
        return ParameterError(f"more than the server takes: {message}")
    return StatementError(message)


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
