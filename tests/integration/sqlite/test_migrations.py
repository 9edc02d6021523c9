import contextlib
import importlib
import json
import os
import sqlite3
import subprocess
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]

VERSIONS = [20250603124835, 20250603124915, 20250711163857, 20250711163858]
TABLES = ["api_keys", "task_states", "users", "workflow_states"]

# The schema as the project was asked for, without its PRAGMA lines.
ASKED_FOR = """
CREATE TABLE IF NOT EXISTS workflow_states (
    workflow_exec_id TEXT NOT NULL PRIMARY KEY,
    workflow_id      TEXT NOT NULL,
    status           TEXT NOT NULL,
    usage            TEXT,  -- JSON as TEXT
    input            TEXT,  -- JSON as TEXT
    output           TEXT,  -- JSON as TEXT
    error            TEXT,  -- JSON as TEXT
    created_at       TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at       TEXT NOT NULL DEFAULT (datetime('now')),

    CHECK (usage IS NULL OR json_type(usage) = 'array')
);

CREATE INDEX IF NOT EXISTS idx_workflow_states_status ON workflow_states (status);
CREATE INDEX IF NOT EXISTS idx_workflow_states_workflow_id
    ON workflow_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_workflow_states_workflow_status
    ON workflow_states (workflow_id, status);
CREATE INDEX IF NOT EXISTS idx_workflow_states_created_at
    ON workflow_states (created_at);
CREATE INDEX IF NOT EXISTS idx_workflow_states_updated_at
    ON workflow_states (updated_at);

CREATE TABLE IF NOT EXISTS task_states (
    component        TEXT NOT NULL,
    status           TEXT NOT NULL,
    task_exec_id     TEXT NOT NULL PRIMARY KEY,
    task_id          TEXT NOT NULL,
    workflow_exec_id TEXT NOT NULL,
    workflow_id      TEXT NOT NULL,
    execution_type   TEXT NOT NULL DEFAULT 'basic',
    usage            TEXT,  -- JSON as TEXT
    agent_id         TEXT,
    tool_id          TEXT,
    action_id        TEXT,
    parent_state_id  TEXT,
    input            TEXT,  -- JSON as TEXT
    output           TEXT,  -- JSON as TEXT
    error            TEXT,  -- JSON as TEXT
    created_at       TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at       TEXT NOT NULL DEFAULT (datetime('now')),

    FOREIGN KEY (workflow_exec_id)
        REFERENCES workflow_states (workflow_exec_id)
        ON DELETE CASCADE,

    FOREIGN KEY (parent_state_id)
        REFERENCES task_states (task_exec_id)
        ON DELETE CASCADE,

    CHECK (
        (execution_type = 'basic' AND (
            (agent_id IS NOT NULL AND action_id IS NOT NULL AND tool_id IS NULL) OR
            (tool_id IS NOT NULL AND agent_id IS NULL AND action_id IS NULL) OR
            (agent_id IS NULL AND action_id IS NULL AND tool_id IS NULL)
        )) OR
        (execution_type = 'router' AND agent_id IS NULL AND action_id IS NULL
            AND tool_id IS NULL) OR
        (execution_type IN ('parallel', 'collection', 'composite')) OR
        (execution_type NOT IN
            ('parallel', 'collection', 'composite', 'basic', 'router'))
    ),

    CHECK (usage IS NULL OR json_type(usage) = 'array')
);

CREATE INDEX IF NOT EXISTS idx_task_states_status ON task_states (status);
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_id ON task_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_exec_id
    ON task_states (workflow_exec_id);
CREATE INDEX IF NOT EXISTS idx_task_states_task_id ON task_states (task_id);
CREATE INDEX IF NOT EXISTS idx_task_states_parent_state_id
    ON task_states (parent_state_id);

CREATE TABLE IF NOT EXISTS users (
    id         TEXT NOT NULL PRIMARY KEY,
    email      TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    created_at TEXT NOT NULL DEFAULT (datetime('now'))
);

CREATE UNIQUE INDEX IF NOT EXISTS idx_users_email_ci ON users (lower(email));
CREATE INDEX IF NOT EXISTS idx_users_role ON users (role);

CREATE TABLE IF NOT EXISTS api_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL,
    hash       BLOB NOT NULL,
    prefix     TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    last_used  TEXT,

    FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS idx_api_keys_hash ON api_keys (hash);
CREATE INDEX IF NOT EXISTS idx_api_keys_user_id ON api_keys (user_id);
CREATE INDEX IF NOT EXISTS idx_api_keys_created_at ON api_keys (created_at);
"""

# The version table as goose v3 makes it on SQLite, with its first row.
GOOSE_TABLE = """
CREATE TABLE goose_db_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp TIMESTAMP DEFAULT (datetime('now'))
);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);
"""

ADD_WORKFLOW = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, usage)"
    " VALUES (:id, 'w', 'PENDING', :usage)"
)
ADD_TASK = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, parent_state_id)"
    " VALUES ('task', 'PENDING', :id, 't', :workflow, 'w', :parent)"
)
ADD_USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
ADD_KEY = (
    "INSERT INTO api_keys (id, user_id, hash, prefix)"
    " VALUES (:id, :user, x'00', :prefix)"
)


@contextlib.contextmanager
def plain(path: Path) -> Iterator[sqlite3.Connection]:
    """Look at a database without us."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def names(path: Path, kind: str) -> list[str]:
    with plain(path) as connection:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = ? ORDER BY name", (kind,)
        ).fetchall()
    return [name for (name,) in rows]


def versions(path: Path, table: str = "goose_db_version") -> list[int]:
    with plain(path) as connection:
        rows = connection.execute(f"SELECT version_id FROM {table} ORDER BY id")
        return [version for (version,) in rows]


def schema(connection: sqlite3.Connection, table: str) -> dict[str, object]:
    """Return all that SQLite itself says about a table."""
    indexes = connection.execute(f"PRAGMA index_list({table})").fetchall()
    return {
        "columns": connection.execute(f"PRAGMA table_info({table})").fetchall(),
        "foreign keys": sorted(
            row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")
        ),
        "indexes": sorted(row[1:] for row in indexes),
        "index columns": {
            row[1]: connection.execute(f"PRAGMA index_xinfo({row[1]})").fetchall()
            for row in indexes
        },
    }


def fill(store: SqliteStore) -> None:
    """Put a row into each table, with a child for each foreign key."""
    with store.transaction() as tx:
        tx.execute(ADD_WORKFLOW, {"id": "w1", "usage": None})
        tx.execute(ADD_TASK, {"id": "t1", "workflow": "w1", "parent": None})
        tx.execute(ADD_TASK, {"id": "t2", "workflow": "w1", "parent": "t1"})
        tx.execute(ADD_USER, {"id": "u1", "email": "a@b.c", "role": "admin"})
        tx.execute(ADD_KEY, {"id": "k1", "user": "u1", "prefix": "p1"})


def write(folder: Path, files: Mapping[str, str]) -> migrate.Source:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return migrate.Source(str(folder))


def up(*statements: str, down: str = "", head: str = "") -> str:
    """Return the text of a migration file, each statement on lines of its own."""
    return "\n".join([head, "-- +goose Up", *statements, "-- +goose Down", down, ""])


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


class TestSchema:
    @pytest.mark.parametrize("table", TABLES)
    def test_it_is_the_one_that_was_asked_for(
        self, open_sqlite: OpenSqlite, tmp_path: Path, table: str
    ) -> None:
        open_sqlite().close()
        with plain(tmp_path / "asked.db") as asked, plain(tmp_path / "app.db") as ours:
            asked.executescript(ASKED_FOR)

            assert schema(ours, table) == schema(asked, table)

    def test_the_index_on_an_expression_is_the_one_that_was_asked_for(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite()
        store.execute(ADD_USER, {"id": "u1", "email": "Ann@b.c", "role": "user"})

        with pytest.raises(core.UniqueViolation):
            store.execute(ADD_USER, {"id": "u2", "email": "aNN@b.c", "role": "user"})
        plan = store.execute(
            "EXPLAIN QUERY PLAN SELECT 1 FROM users WHERE lower(email) = 'ann@b.c'"
        ).one()
        assert "idx_users_email_ci" in plan["detail"]

    def test_defaults_are_utc_seconds_and_basic(self, open_sqlite: OpenSqlite) -> None:
        store = open_sqlite()
        fill(store)
        row = store.execute(
            "SELECT execution_type, created_at = updated_at AS same,"
            " abs(julianday('now') - julianday(created_at)) * 86400 AS age,"
            " length(created_at) AS length FROM task_states WHERE task_exec_id = 't1'"
        ).one()

        assert row["execution_type"] == "basic"
        assert row["same"] == 1
        assert row["age"] < 60
        assert row["length"] == len("2025-07-11 16:38:58")


class TestVersionTable:
    def test_it_is_made_as_goose_makes_it(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        open_sqlite().close()
        with plain(tmp_path / "goose.db") as goose, plain(tmp_path / "app.db") as ours:
            goose.executescript(GOOSE_TABLE)

            assert schema(ours, "goose_db_version") == schema(goose, "goose_db_version")
            rows = ours.execute(
                "SELECT id, version_id, is_applied,"
                " tstamp = strftime('%Y-%m-%d %H:%M:%S', tstamp)"
                " FROM goose_db_version ORDER BY id"
            ).fetchall()
        assert rows == [
            (number, version, 1, 1)
            for number, version in enumerate([0, *VERSIONS], start=1)
        ]

    def test_a_database_half_migrated_by_goose_goes_on_here_and_back(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        parts = ASKED_FOR.partition("CREATE TABLE IF NOT EXISTS users")
        with plain(path) as goose:
            goose.executescript(GOOSE_TABLE + parts[0])
            goose.executemany(
                "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)",
                [(version,) for version in VERSIONS[:2]],
            )
        with open_sqlite() as store:
            fill(store)
            states = migrate.Migrator(store).status()
        # goose goes back by one, as `goose down` does, and forward again.
        with plain(path) as goose:
            newest = goose.execute(
                "SELECT version_id FROM goose_db_version ORDER BY id DESC"
            ).fetchone()
            goose.execute("DROP TABLE api_keys")
            goose.execute("DELETE FROM goose_db_version WHERE version_id = ?", newest)
        with open_sqlite() as store:
            again = migrate.Migrator(store).status()

        assert newest == (VERSIONS[3],)
        assert [state.state for state in states] == ["applied"] * 4
        assert [state.duration is None for state in states] == [
            True,
            True,
            False,
            False,
        ]
        assert [state.state for state in again] == ["applied"] * 4
        assert versions(path) == [0, *VERSIONS]
        assert "api_keys" in names(path, "table")

    def test_duplicates_and_rows_not_applied_are_read_as_goose_reads_them(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        open_sqlite().close()
        with plain(tmp_path / "app.db") as goose:
            goose.executemany(
                "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)",
                [(VERSIONS[0], 1), (VERSIONS[1], 0), (VERSIONS[3], 0)],
            )
        store = open_sqlite()
        migrator = migrate.Migrator(store)

        assert [found.version for found in migrator.status()] == VERSIONS
        assert not migrator.up()
        migrator.down(to=0)
        assert versions(tmp_path / "app.db") == [0]

    def test_a_missing_first_row_is_no_matter(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        open_sqlite().close()
        with plain(tmp_path / "app.db") as goose:
            goose.execute("DELETE FROM goose_db_version WHERE version_id = 0")

        assert migrate.Migrator(open_sqlite()).at_head()

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE VIEW goose_db_version AS SELECT 1 AS version_id",
            "CREATE TABLE mine (x); CREATE INDEX goose_db_version ON mine (x)",
            "CREATE TABLE goose_db_version (version TEXT)",
        ],
        ids=["view", "index", "another table"],
    )
    def test_something_else_of_its_name_is_refused_and_not_touched(
        self, open_sqlite: OpenSqlite, tmp_path: Path, statement: str
    ) -> None:
        path = tmp_path / "app.db"
        with plain(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.executescript(statement)
        before = digest(path)

        with pytest.raises(core.MooringError) as caught:
            open_sqlite()
        assert "goose_db_version" in caught.value.message
        assert caught.value.hint
        assert digest(path) == before

    def test_a_version_that_is_no_integer_is_told_with_what_to_do(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        with plain(tmp_path / "app.db") as connection:
            connection.executescript(
                f"{GOOSE_TABLE} INSERT INTO goose_db_version (version_id, is_applied)"
                " VALUES ('latest', 1);"
            )
        migrator = migrate.Migrator(open_sqlite(migrate="skip"))

        for call in (migrator.up, migrator.status, migrator.at_head, migrator.down):
            with pytest.raises(core.StoreError, match="no integers") as caught:
                call()
            assert caught.value.hint
        assert "users" not in names(tmp_path / "app.db", "table")


class TestRefusals:
    def test_a_newer_database_is_refused_and_byte_identical_afterwards(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        open_sqlite().close()
        (tmp_path / "app.db-mooring.lock").unlink()
        with plain(path) as newer:
            newer.execute(
                "INSERT INTO goose_db_version (version_id, is_applied)"
                " VALUES (20990101000000, 1)"
            )
        before = digest(path)

        for auto_migrate in (True, False):
            with pytest.raises(core.DatabaseAheadError) as caught:
                open_sqlite(auto_migrate=auto_migrate)
            assert caught.value.database == 20990101000000
            assert caught.value.known == VERSIONS[-1]
        assert digest(path) == before
        assert os.listdir(tmp_path) == ["app.db"]
        store = open_sqlite(migrate="skip")
        assert [s.state for s in migrate.Migrator(store).status()][-1] == "ahead"

    @pytest.mark.parametrize("name", [None, "README.md"])
    def test_a_folder_without_migrations_is_an_error(
        self, open_sqlite: OpenSqlite, tmp_path: Path, name: str | None
    ) -> None:
        source = write(tmp_path / "files", {name: "nothing"} if name else {})
        migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)

        calls = (migrator.up, migrator.down, migrator.status, migrator.plan)
        for call in calls:
            with pytest.raises(core.MigrationParseError, match="no migration") as found:
                call()
            assert found.value.hint
        with pytest.raises(core.MigrationParseError):
            open_sqlite(
                "b.db", migrations=migrate.Source(str(tmp_path / "files"), table="mine")
            )

    @pytest.mark.parametrize(
        "tables", [("mine", "mine"), ("mine", "MINE"), ("Goose_DB_Version",)]
    )
    def test_two_sources_with_one_version_table_open_nothing(
        self, open_sqlite: OpenSqlite, tmp_path: Path, tables: tuple[str, ...]
    ) -> None:
        folder = tmp_path / "files"
        write(folder, {"1_a.sql": up("CREATE TABLE a (x);")})
        sources = [migrate.Source(str(folder), table=table) for table in tables]

        with pytest.raises(core.MigrationError, match="share the version table") as no:
            open_sqlite(migrations=sources)
        assert no.value.hint
        assert os.listdir(tmp_path) == ["files"]

    def test_pending_migrations_are_told_and_nothing_is_written(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        open_sqlite(migrate="skip").close()
        before = digest(path)

        with pytest.raises(core.MigrationsPendingError) as caught:
            open_sqlite(auto_migrate=False)
        assert caught.value.versions == tuple(VERSIONS)
        assert caught.value.hint
        assert digest(path) == before
        assert os.listdir(tmp_path) == ["app.db"]
        open_sqlite().close()
        store = open_sqlite(auto_migrate=False)
        assert store.execute("SELECT count(*) FROM users").scalar() == 0


class TestFailures:
    def test_its_own_transaction_runs_in_a_file_without_one(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        text = up(
            "BEGIN;",
            "CREATE TABLE a (x);",
            "COMMIT;",
            head="-- +goose NO TRANSACTION",
        )
        source = write(tmp_path / "files", {"1_a.sql": text})
        migrate.Migrator(open_sqlite(migrate="skip"), source).up()

        assert versions(tmp_path / "app.db") == [0, 1]

    def test_going_back_on_a_locked_database_says_that_nothing_was_undone(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        migrator = migrate.Migrator(open_sqlite(busy_timeout=0.1))
        with plain(tmp_path / "app.db") as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(core.MigrationFailedError) as caught:
                migrator.down()

        assert "nothing of this file was undone" in caught.value.state
        assert f"at version {VERSIONS[-1]}" in caught.value.state
        assert versions(tmp_path / "app.db") == [0, *VERSIONS]

    @pytest.mark.parametrize(
        "quoted", ["'${APP_SECRET}'", "${APP_SECRET}", "VALUES ('${APP_SECRET}')"]
    )
    def test_a_secret_of_the_environment_is_never_in_an_error(
        self,
        open_sqlite: OpenSqlite,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        quoted: str,
    ) -> None:
        monkeypatch.setenv("APP_SECRET", "canary7f3a")
        text = up("-- +goose ENVSUB ON", f"INSERT INTO nowhere {quoted};")
        source = write(tmp_path / "files", {"1_a.sql": text})
        migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)

        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up()
        assert "${APP_SECRET}" in caught.value.statement
        assert caught.value.line == 4
        assert "canary7f3a" not in "".join(traceback.format_exception(caught.value))
        error: BaseException | None = caught.value
        while error is not None:
            assert "canary7f3a" not in f"{error!r} {vars(error)!r}"
            error = error.__cause__ or error.__context__

    def test_an_error_that_shows_no_value_keeps_the_words_of_the_engine(
        self,
        open_sqlite: OpenSqlite,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("APP_SECRET", "canary7f3a")
        text = up("-- +goose ENVSUB ON", "INSERT INTO nowhere VALUES ('$APP_SECRET');")
        source = write(tmp_path / "files", {"1_a.sql": text})
        migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)

        with pytest.raises(core.MigrationFailedError, match="no such table: nowhere"):
            migrator.up()


class TestForeignKeys:
    PARENT = (
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);",
        "CREATE TABLE child (parent REFERENCES parent (id) ON DELETE CASCADE);",
        "INSERT INTO parent VALUES (1), (2);",
        "INSERT INTO child VALUES (1), (2), (2);",
    )
    REBUILD = (
        "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT DEFAULT '-');",
        "INSERT INTO new (id) SELECT id FROM parent;",
        "DROP TABLE parent;",
        "ALTER TABLE new RENAME TO parent;",
    )

    def foreign_keys(self, store: SqliteStore) -> set[int]:
        found = {store.execute("PRAGMA foreign_keys").scalar()}
        with store.transaction() as tx:
            return found | {tx.execute("PRAGMA foreign_keys").scalar()}

    def test_rebuilding_a_table_keeps_the_rows_of_its_children(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        source = write(
            tmp_path / "files",
            {"1_a.sql": up(*self.PARENT), "2_b.sql": up(*self.REBUILD)},
        )
        store = open_sqlite(migrate="skip")
        migrator = migrate.Migrator(store, source)
        migrator.up(to=1)
        migrator.up()

        assert store.execute("SELECT count(*) FROM child").scalar() == 3
        assert store.execute("SELECT name FROM parent WHERE id = 1").scalar() == "-"
        assert self.foreign_keys(store) == {1}
        with pytest.raises(core.ForeignKeyViolation):
            store.execute("INSERT INTO child VALUES (9)")

    @pytest.mark.parametrize("together", [False, True])
    def test_what_would_leave_rows_without_their_parent_is_refused(
        self, open_sqlite: OpenSqlite, tmp_path: Path, together: bool
    ) -> None:
        source = write(
            tmp_path / "files",
            {
                "1_a.sql": up(*self.PARENT),
                "2_b.sql": up("DELETE FROM parent WHERE id = 2;"),
            },
        )
        store = open_sqlite(migrate="skip")
        migrator = migrate.Migrator(store, source)
        if not together:
            migrator.up(to=1)

        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up()
        assert caught.value.file == "2_b.sql"
        assert "2 rows" in caught.value.message
        assert isinstance(caught.value.__cause__, core.ForeignKeyViolation)
        assert ("parent" in names(tmp_path / "app.db", "table")) is not together
        if not together:
            assert store.execute("SELECT count(*) FROM parent").scalar() == 2
        assert self.foreign_keys(store) == {1}

    def test_rows_that_had_no_parent_before_do_not_stop_a_migration(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        source = write(tmp_path / "files", {"1_a.sql": up(*self.PARENT)})
        store = open_sqlite(migrate="skip")
        migrator = migrate.Migrator(store, source)
        migrator.up()
        with plain(tmp_path / "app.db") as other:
            other.execute("INSERT INTO child VALUES (77)")
        write(tmp_path / "files", {"2_b.sql": up("CREATE TABLE b (x);")})

        assert [step.version for step in migrator.up()] == [2]

    def test_foreign_keys_are_on_again_after_a_failure(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        source = write(
            tmp_path / "files",
            {
                "1_a.sql": up(*self.PARENT),
                "2_b.sql": up(*self.REBUILD, "INSERT INTO nowhere VALUES (1);"),
            },
        )
        store = open_sqlite(migrate="skip")
        migrator = migrate.Migrator(store, source)
        migrator.up(to=1)
        with pytest.raises(core.MigrationFailedError):
            migrator.up()

        assert self.foreign_keys(store) == {1}
        assert store.execute("SELECT count(*) FROM child").scalar() == 3

    @pytest.mark.parametrize("path", ["app.db", ":memory:"])
    @pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION"])
    def test_a_pragma_in_a_file_does_not_outlive_it(
        self, open_sqlite: OpenSqlite, tmp_path: Path, path: str, head: str
    ) -> None:
        text = up(
            "PRAGMA foreign_keys = OFF;",
            "PRAGMA cell_size_check = OFF;",
            "PRAGMA ignore_check_constraints = ON;",
            "PRAGMA recursive_triggers = ON;",
            "CREATE TABLE a (x CHECK (x > 0));",
            head=head,
        )
        source = write(
            tmp_path / "files",
            {"1_a.sql": text, "2_b.sql": up(*self.PARENT)},
        )
        store = open_sqlite(path, migrate="skip")
        migrate.Migrator(store, source).up()

        assert self.foreign_keys(store) == {1}
        with store.transaction() as tx:
            assert tx.execute("PRAGMA cell_size_check").scalar() == 1
            assert tx.execute("PRAGMA recursive_triggers").scalar() == 0
        with pytest.raises(core.CheckViolation):
            store.execute("INSERT INTO a VALUES (0)")

    @pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION"])
    def test_a_temporary_table_of_a_file_hides_nothing_afterwards(
        self, open_sqlite: OpenSqlite, tmp_path: Path, head: str
    ) -> None:
        text = up(
            "CREATE TABLE kept (x);",
            "CREATE TEMP TABLE kept (x);",
            head=head,
        )
        source = write(tmp_path / "files", {"1_a.sql": text})
        store = open_sqlite(migrate="skip")
        migrate.Migrator(store, source).up()
        store.execute("INSERT INTO kept VALUES (1)")

        with plain(tmp_path / "app.db") as other:
            assert other.execute("SELECT x FROM kept").fetchall() == [(1,)]

    def test_a_key_that_refers_to_no_unique_column_is_an_error_of_its_file(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        text = up(
            "CREATE TABLE parent (id);",
            "CREATE TABLE child (parent REFERENCES parent (id));",
        )
        source = write(tmp_path / "files", {"1_a.sql": text})
        migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)

        with pytest.raises(core.MigrationFailedError, match="mismatch"):
            migrator.up()
        assert names(tmp_path / "app.db", "table") == []

    def test_a_mismatch_that_was_there_before_does_not_stop_a_migration(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        with plain(tmp_path / "app.db") as connection:
            connection.executescript(
                "CREATE TABLE parent (id);"
                "CREATE TABLE child (parent REFERENCES parent (id));"
            )
        source = write(tmp_path / "files", {"1_a.sql": up("CREATE TABLE a (x);")})
        migrate.Migrator(open_sqlite(migrate="skip"), source).up()

        assert versions(tmp_path / "app.db") == [0, 1]

    def test_a_new_orphan_is_told_from_an_old_one_that_looks_the_same(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        with plain(tmp_path / "app.db") as connection:
            connection.executescript(
                "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
                "CREATE TABLE child (id PRIMARY KEY, parent REFERENCES parent (id))"
                " WITHOUT ROWID;"
                "INSERT INTO child VALUES (1, 7);"
            )
        files = {
            "1_a.sql": up("CREATE TABLE a (x);"),
            "2_b.sql": up("INSERT INTO child VALUES (2, 7);"),
        }
        source = write(tmp_path / "files", files)
        store = open_sqlite(migrate="skip")
        migrator = migrate.Migrator(store, source)
        migrator.up(to=1)

        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up()
        assert isinstance(caught.value.__cause__, core.ForeignKeyViolation)
        assert versions(tmp_path / "app.db") == [0, 1]
        assert store.execute("SELECT count(*) FROM child").scalar() == 1

    @pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION"])
    @pytest.mark.parametrize("word", ["", "EXPLAIN ", "EXPLAIN QUERY PLAN "])
    @pytest.mark.parametrize("path", ["app.db", ":memory:"])
    def test_a_pragma_that_cannot_be_read_back_does_not_outlive_its_file(
        self, open_sqlite: OpenSqlite, tmp_path: Path, path: str, word: str, head: str
    ) -> None:
        text = up(f"{word}PRAGMA case_sensitive_like = 1;", head=head)
        source = write(tmp_path / "files", {"1_a.sql": text})
        store = open_sqlite(path, migrate="skip")
        migrate.Migrator(store, source).up()

        with store.transaction() as tx:
            assert tx.execute("SELECT 'A' LIKE 'a'").scalar() == 1
        with store.read() as snapshot:
            assert snapshot.execute("SELECT 'A' LIKE 'a'").scalar() == 1

    @pytest.mark.parametrize("fails", [False, True], ids=["applied", "failed"])
    @pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION"])
    def test_no_pragma_of_a_file_stays_on_the_connection(
        self, open_sqlite: OpenSqlite, tmp_path: Path, head: str, *, fails: bool
    ) -> None:
        set_ = {
            "full_column_names": 1,
            "short_column_names": 0,
            "wal_autocheckpoint": 7,
        }
        lines = [f"PRAGMA {name} = {value};" for name, value in set_.items()]
        lines += ["nonsense;"] if fails else []
        source = write(tmp_path / "files", {"1_a.sql": up(*lines, head=head)})
        store = open_sqlite(migrate="skip")

        def settings() -> list[object]:
            with store.transaction() as tx:
                return [tx.execute(f"PRAGMA {name}").scalar() for name in set_]

        before = settings()
        assert before != list(set_.values())
        expected = (
            pytest.raises(core.MigrationFailedError)
            if fails
            else contextlib.nullcontext()
        )
        with expected:
            migrate.Migrator(store, source).up()
        assert settings() == before


class TestFormat:
    def test_a_trigger_with_semicolons_runs_inside_a_block(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        text = up(
            "CREATE TABLE a (x); CREATE TABLE log (x, note);",
            "-- +goose StatementBegin",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
            "    INSERT INTO log VALUES (NEW.x, 'one; two');",
            "    UPDATE log SET note = CASE WHEN x > 1 THEN 'big' ELSE note END;",
            "END;",
            "INSERT INTO a VALUES (1), (2);",
            "-- +goose StatementEnd",
        )
        source = write(tmp_path / "files", {"1_a.sql": text})
        store = open_sqlite(migrate="skip")
        migrate.Migrator(store, source).up()

        rows = store.execute("SELECT x, note FROM log ORDER BY x")
        assert [tuple(row) for row in rows] == [(1, "one; two"), (2, "big")]

    def test_files_are_read_out_of_a_zipped_package(
        self, open_sqlite: OpenSqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = "zipped_application"
        with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
            archive.writestr(f"{package}/__init__.py", "")
            archive.writestr(
                f"{package}/migrations/1_a.sql", up("CREATE TABLE zipped (x);")
            )
        monkeypatch.syspath_prepend(str(tmp_path / "app.zip"))
        source = migrate.Source(core.package_folder(package), table="zip_versions")
        store = open_sqlite(migrations=source)

        assert store.execute("SELECT count(*) FROM zipped").scalar() == 0
        assert versions(tmp_path / "app.db", "zip_versions") == [0, 1]
        monkeypatch.delitem(sys.modules, package)
        importlib.invalidate_caches()

    def test_several_sources_have_a_version_table_each(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        sources = [
            migrate.Source(
                write(
                    tmp_path / name,
                    {"1_a.sql": up(f"CREATE TABLE {name} (x);", down="DROP TABLE a;")},
                ).folder,
                table=f"{name}_versions",
            )
            for name in ("a", "b")
        ]
        path = tmp_path / "app.db"
        store = open_sqlite(migrations=sources)

        assert versions(path) == [0, *VERSIONS]
        assert versions(path, "a_versions") == [0, 1]
        assert versions(path, "b_versions") == [0, 1]
        assert "(4/4)" in repr(store)
        assert "v1 (1/1)" in repr(store)
        migrate.Migrator(store, sources[0]).down()
        assert versions(path, "a_versions") == [0]
        assert versions(path, "b_versions") == [0, 1]
        assert not core.health_check(store).ok

    def test_an_application_may_bring_one_source(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        text = up(
            "CREATE TABLE notes (id TEXT PRIMARY KEY, owner REFERENCES users (id));"
        )
        folder = write(tmp_path / "files", {"1_notes.sql": text}).folder
        store = open_sqlite(migrations=migrate.Source(folder, table="app_versions"))

        with pytest.raises(core.ForeignKeyViolation):
            store.execute("INSERT INTO notes VALUES ('n1', 'nobody')")


# Opens a store that is at head, and notes every file that this process opens.
AT_HEAD = """
    import json, sys
    from mooring import core, migrate

    opened = []
    sys.addaudithook(
        lambda event, args: opened.append(str(args[0])) if event == "open" else None
    )
    source = migrate.Source(sys.argv[2], table="app_versions")
    config = {"driver": "sqlite", "path": sys.argv[1]}
    with core.open(config, migrations=source) as store:
        store.execute("SELECT count(*) FROM users").scalar()
    print(json.dumps(opened))
"""


class TestAtHead:
    @pytest.fixture
    def thousand(self, tmp_path: Path) -> Path:
        """The folder of a thousand files."""
        folder = tmp_path / "files"
        folder.mkdir()
        for number in range(1, 1001):
            text = up(f"CREATE TABLE t{number} (x);")
            (folder / f"{number}_t.sql").write_text(text)
        return folder

    def test_no_lock_file_and_no_migration_is_opened_and_nothing_written(
        self, open_sqlite: OpenSqlite, start: Start, thousand: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        source = migrate.Source(str(thousand), table="app_versions")
        open_sqlite(migrations=source).close()
        (tmp_path / "app.db-mooring.lock").unlink()
        before = (digest(path), path.stat().st_mtime_ns)
        answer, errors = start(AT_HEAD, path, thousand).communicate(timeout=60)

        assert errors == ""
        opened = json.loads(answer)
        assert any(name.endswith((".py", ".pyc")) for name in opened)
        assert [name for name in opened if name.endswith((".sql", ".lock"))] == []
        assert (digest(path), path.stat().st_mtime_ns) == before
        assert sorted(os.listdir(tmp_path)) == ["app.db", "files"]

    def test_the_same_look_sees_what_a_first_start_opens(
        self, start: Start, thousand: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        answer, errors = start(AT_HEAD, path, thousand).communicate(timeout=60)

        assert errors == ""
        opened = json.loads(answer)
        assert sum(name.endswith(".sql") for name in opened) == 4 + 1000
        assert sum(name.endswith("-mooring.lock") for name in opened) == 2


class TestMigrator:
    FILES: Mapping[str, str] = {
        f"{number}_{name}.sql": up(
            f"CREATE TABLE {name} (x);", down=f"DROP TABLE {name};"
        )
        for number, name in enumerate("abc", start=1)
    }

    def test_a_lock_that_is_not_free_in_time_names_its_holder(
        self, open_sqlite: OpenSqlite, start: Start, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.db"
        store = open_sqlite(migrate="skip")
        holder = start(
            """
            import sys
            from mooring import core
            store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
            with store.migration_session("goose_db_version", timeout=30):
                print("holding", flush=True)
                sys.stdin.read()
            store.close()
            """,
            path,
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = monotonic()
        with pytest.raises(core.MigrationLockError) as caught:
            migrate.Migrator(store).up(timeout=0.3)

        assert 0.25 < monotonic() - begun < 10
        assert f"pid {holder.pid}" in caught.value.message
        assert "0.3 s" in caught.value.message
        assert caught.value.retryable
        assert names(path, "table") == []
        holder.communicate(timeout=60)
        assert len(migrate.Migrator(store).up(timeout=30)) == 4

    def test_a_lock_of_another_thread_is_waited_for(
        self, open_sqlite: OpenSqlite
    ) -> None:
        first, second = open_sqlite(migrate="skip"), open_sqlite(migrate="skip")
        with (
            first.migration_session("goose_db_version", timeout=5),
            pytest.raises(core.MigrationLockError, match="another thread"),
        ):
            migrate.Migrator(second).up(timeout=0.1)

        assert len(migrate.Migrator(second).up()) == 4

    def test_a_database_in_memory_is_migrated_too(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        source = write(tmp_path / "files", self.FILES)
        store = open_sqlite(":memory:", migrate="skip")
        migrator = migrate.Migrator(store, source)

        assert len(migrator.up()) == 3
        assert len(migrator.down(to=0)) == 3
