"""A start with an application's own migrations, all of which are applied."""

import sys

from mooring import core, migrate


def main() -> None:
    """Do what the arguments say; there is no row to insert, and so no key."""
    path, _, folder = sys.argv[1:]
    source = migrate.Source(folder, table="file_versions")
    core.open({"driver": "sqlite", "path": path}, migrations=source).close()


if __name__ == "__main__":
    main()
