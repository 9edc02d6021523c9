"""The client library, which may be missing or incomplete."""

from mooring.core import OpenError


def require_client() -> None:
    """Import psycopg, whose every user in this package comes later.

    Raises:
        OpenError: It is not installed, or finds no libpq; says what to install.
    """
    try:
        import psycopg  # noqa: F401 - that it can be imported is the question
    except ImportError as cause:
        raise OpenError(
            f"psycopg cannot be used: {str(cause).partition(chr(10))[0]}",
            hint="install psycopg with a libpq of its own: pip install"
            " 'psycopg[binary]'; or the system's libpq, such as Debian's libpq5",
        ) from cause
