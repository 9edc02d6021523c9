"""Migrations that a test writes for itself."""

from pathlib import Path

from mooring import migrate


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
