"""Migrations that a test writes for itself."""

from pathlib import Path

from mooring import core, migrate


def write_migration(
    folder: Path,
    name: str,
    *up: str,
    down: str = "",
    head: str = "",
    table: str | None = None,
) -> migrate.Source:
    """Write a file of migration, and return the source of all that are in *folder*.

    Each statement stands on lines of its own, the first on the second line, or on the
    third below a *head*.

    Args:
        folder: Made if there is none.
        name: Of the file, with its version.
        up: The statements to go up.
        down: Those to go back.
        head: An annotation above all else.
        table: The version table of the source, None for the usual one.
    """
    folder.mkdir(exist_ok=True)
    lines = [*([head] if head else []), "-- +goose Up", *up, "-- +goose Down", down]
    (folder / name).write_text("\n".join([*lines, ""]))
    options = {"table": table} if table else {}
    return migrate.Source(str(folder), **options)


def assert_stands_at(
    error: core.MigrationFailedError, line: int, column: int | None, *, piece: int
) -> None:
    """Hold the place of an error to what is asked of it, in all groups.

    It is where the engine points, to the column; where the engine does not say, it is
    the first line of the piece that failed, and no column.

    Args:
        error: What is looked at.
        line: Where an engine points that does, 1-based.
        column: The same; None where engines differ.
        piece: The first line of the piece that failed.
    """
    if error.column is None:
        assert error.line in (line, piece)
    else:
        assert error.line == line
        assert column in (None, error.column)
    place = f"{error.file}:{error.line}" + (f":{error.column}" if error.column else "")
    assert place in error.message


def versions(store: core.SqlStore) -> list[int]:
    """Return what is noted as applied, in the usual table, in the order of its rows."""
    rows = store.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [row["version_id"] for row in rows]
