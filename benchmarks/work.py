"""What a start must have done, whoever did it: compared before anything is timed."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from typing import NamedTuple

from mooring_sqlite import migrations_dir

from benchmarks.scripts.by_hand import statements

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
# The tables in which a tool remembers what only it needs.
_OWN = ("mooring_", "sqlite_", "_yoyo_", "yoyo_", "alembic_", "django_", "_sqlite_m")
# Where each of them notes what is applied; Alembic notes the newest only.
_NOTED = {
    "goose_db_version": "SELECT version_id FROM goose_db_version WHERE version_id > 0",
    "_yoyo_migration": "SELECT migration_id FROM _yoyo_migration",
    "alembic_version": "SELECT version_num FROM alembic_version",
    "django_migrations": "SELECT name FROM django_migrations",
    "_sqlite_migrations": "SELECT name FROM _sqlite_migrations",
}


class Work(NamedTuple):
    """What is in a database file.

    Attributes:
        schema: The SQL of each table and index by name, the tools' own left out.
        version_table: The SQL of goose's version table, "" if there is none.
        versions: The migrations that are noted as applied.
        rows: The workflows, without their times.
        journal: Its journal mode.
        mode: The file's mode bits.
    """

    schema: dict[str, str]
    version_table: str
    versions: list[int]
    rows: list[tuple[object, ...]]
    journal: str
    mode: int


def work_in(path: str) -> Work:
    """Return what is in the database file at *path*."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
        tables = {table for _, table, _ in found}
        schema = {
            name: " ".join(sql.split())
            for name, table, sql in found
            if not table.startswith(_OWN)
        }
        version_table = schema.pop("goose_db_version", "")
        (noted,) = (sql for table, sql in _NOTED.items() if table in tables)
        versions = connection.execute(noted).fetchall()
        rows = connection.execute(
            "SELECT workflow_exec_id, workflow_id, status, usage, input, output, error"
            " FROM workflow_states ORDER BY workflow_exec_id"
        ).fetchall()
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    return Work(
        schema,
        version_table,
        sorted(int(str(version).partition("_")[0]) for (version,) in versions),
        rows,
        journal,
        stat.S_IMODE(os.stat(path).st_mode),
    )


def migrations() -> str:
    """Return the folder of the sqlite driver's migrations."""
    spec = find_spec("mooring_sqlite")
    if spec is None or spec.origin is None:
        raise SystemExit("mooring_sqlite is not installed as a folder")
    return os.path.join(os.path.dirname(spec.origin), migrations_dir().name)


def yoyo_migrations(folder: str) -> str:
    """Write the same migrations into *folder* as yoyo wants them, and return it."""
    os.makedirs(folder)
    for name, up, down in _sql_files():
        for kind, text in ((".sql", up), (".rollback.sql", down)):
            # "-- +goose" lines are comments, but not yoyo's.
            sql = "\n".join(
                line for line in text.splitlines() if not line.startswith("-- +goose")
            )
            target = os.path.join(folder, name.removesuffix(".sql") + kind)
            with open(target, "w", encoding="utf-8") as file:
                file.write(sql)
    return folder


def alembic_migrations(folder: str) -> str:
    """Write the same migrations into *folder* as Alembic wants them, and return it."""
    versions = os.path.join(folder, "versions")
    os.makedirs(versions)
    with open(os.path.join(folder, "env.py"), "w", encoding="utf-8") as file:
        file.write(
            "from alembic import context\n"
            "context.configure(connection=context.config.attributes['connection'])\n"
            "with context.begin_transaction():\n"
            "    context.run_migrations()\n"
        )
    before = None
    for name, up, _ in _sql_files():
        version = name.partition("_")[0]
        path = os.path.join(versions, name.removesuffix(".sql") + ".py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                "from alembic import op\n"
                f"revision, down_revision = {version!r}, {before!r}\n"
                "def upgrade():\n"
                f"    for sql in {statements(up)!r}:\n"
                "        op.get_bind().exec_driver_sql(sql)\n"
            )
        before = version
    return folder


def django_migrations(folder: str) -> str:
    """Write an application ``bench`` with the same migrations, and return *folder*."""
    package = os.path.join(folder, "bench", "migrations")
    os.makedirs(package)
    for parent in (os.path.dirname(package), package):
        with open(os.path.join(parent, "__init__.py"), "w", encoding="utf-8"):
            pass
    before = None
    for name, up, _ in _sql_files():
        stem = name.removesuffix(".sql")
        with open(os.path.join(package, stem + ".py"), "w", encoding="utf-8") as file:
            file.write(
                "from django.db import migrations\n"
                "class Migration(migrations.Migration):\n"
                f"    dependencies = {[('bench', before)] if before else []!r}\n"
                f"    operations = [migrations.RunSQL({statements(up)!r})]\n"
            )
        before = stem
    return folder


def _sql_files() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each migration, with its way up and its way down."""
    for name in sorted(os.listdir(migrations())):
        if name.endswith(".sql"):
            with open(os.path.join(migrations(), name), encoding="utf-8") as file:
                up, _, down = file.read().partition("-- +goose Down")
            yield name, up, down


def run_script(
    script: str, path: str, key: str, folder: str, env: Mapping[str, str] | None = None
) -> None:
    """Run one of the scripts in a process of its own.

    It is imported, not given to Python as a file, so that its bytecode is cached as
    that of an installed program is.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, "-c", f"import {script}; {script}.main()", path, key, folder],
        cwd=SCRIPTS,
        env=env,
        check=True,
    )


def environment(folder: str) -> dict[str, str]:
    """Return an environment in which bytecode is cached, and no driver is disabled."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "MOORING_", "COVERAGE_"))
    }
    if not os.access(SCRIPTS, os.W_OK):
        env["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "pycache")
    return env
