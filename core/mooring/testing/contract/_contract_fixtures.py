"""What the tests of the contract run on: stores of one configuration."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import (
    depends_on_sql,
    depends_on_store,
    why_not,
)
from mooring.testing.contract._fixture_types import OpenStore, Write
from mooring.testing.contract._given import OPTIONAL, GivenFixtures
from mooring.testing.contract._migration_file import write_migration
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._rounds import rounds
from mooring.testing.contract._sql_features import sql_features
from mooring.testing.contract._threads import threads

# Long enough for a machine under load, short enough that a hang is seen as one.

# The tables that tests make or look for, in the order of their names.
_TABLES = (
    *("a", "api_keys", "b", "c", "goose_db_version", "mooring_migrations"),
    *("task_states", "users", "workflow_states"),
)

# Set on a test that `_applies` leaves out; any other skip is one nobody asked for.
LEFT_OUT = pytest.StashKey[bool]()


class ContractFixtures(GivenFixtures):
    """The fixtures of `mooring.testing.DriverContract`; `config` is the driver's."""

    # What is known of the stores of a class; by class, as `config` is.
    _speaking: ClassVar[dict[type, bool]] = {}
    _present: ClassVar[dict[type, tuple[frozenset[Capability], frozenset[str]]]] = {}

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest) -> None:
        """Leave out a test of what the store does not declare, or nobody gives."""
        reason = self._why_not(request)
        if reason:
            request.node.stash[LEFT_OUT] = True
            pytest.skip(reason)

    def _why_not(self, request: pytest.FixtureRequest) -> str:
        """Return why a test does not apply, "" if it does."""
        test, kind = request.function, type(self)
        if depends_on_sql(test):
            if kind not in self._speaking:
                self._speaking[kind] = request.getfixturevalue("speaks_sql")
            if not self._speaking[kind]:
                return "the driver's stores speak no SQL"
        for name in OPTIONAL:
            if name in request.fixturenames and request.getfixturevalue(name) is None:
                return f"no {name} is given"
        if not depends_on_store(test):
            return ""
        if kind not in self._present:
            config = request.getfixturevalue("config")
            with core.open(config, migrate="skip") as store:
                sql = request.getfixturevalue("speaks_sql")
                features = sql_features(store) if sql else frozenset[str]()
                self._present[kind] = store.capabilities, features
        return why_not(test, *self._present[kind])

    @pytest.fixture
    def says_closed(
        self, request: pytest.FixtureRequest
    ) -> Callable[[core.Store], None]:
        """Fail unless a store that was closed says so to whoever uses it."""
        # Not as an argument: without it there is less to see, but something.
        write: Write | None = request.getfixturevalue("write")

        def says_closed(store: core.Store) -> None:
            health = core.health_check(store)
            assert health.status == "failed"
            assert "closed" in " ".join(check.detail for check in health.checks)
            if write is not None:
                with pytest.raises(core.StoreClosedError, match="closed"):
                    write(store, "after the close")

        return says_closed

    @pytest.fixture
    def open_store(self, config: dict[str, object]) -> Iterator[OpenStore]:
        """Open stores of `config`, some options changed; they are closed afterwards.

        ``migrate`` and ``migrations`` go to `core.open`.
        """
        opened: list[core.SqlStore] = []

        def open_store(**options: Any) -> core.SqlStore:
            migrate = options.pop("migrate", None)
            sources = options.pop("migrations", ())
            merged = {**config, **options}
            opened.append(core.open(merged, migrations=sources, migrate=migrate))
            return opened[-1]

        yield open_store
        for store in opened:
            store.close()

    @pytest.fixture
    def open_hasty(
        self, hasty: Mapping[str, object], open_store: OpenStore
    ) -> OpenStore:
        """Open stores that do not wait long for a lock or a connection."""
        return lambda **options: open_store(**{**hasty, **options})

    @pytest.fixture
    def store(self, open_store: OpenStore) -> core.SqlStore:
        """A store that is open."""
        return open_store()

    @pytest.fixture
    def empty(self, open_store: OpenStore) -> core.SqlStore:
        """A store that was never migrated."""
        return open_store(migrate="skip")

    @pytest.fixture
    def tables_of(self) -> Callable[[core.SqlStore], list[str]]:
        """Return which of the tests' tables a store has, in the order of their names.

        Each is asked for by itself: engines list their tables in ways of their own.
        """

        def exists(store: core.SqlStore, name: str) -> bool:
            try:
                store.execute(f"SELECT count(*) FROM {name} WHERE 1 = 0")
            except core.StatementError:
                return False
            return True

        return lambda store: [name for name in _TABLES if exists(store, name)]

    @pytest.fixture
    def tables(
        self, empty: core.SqlStore, tables_of: Callable[[core.SqlStore], list[str]]
    ) -> Callable[[], set[str]]:
        """Return which tables of the test's own files there are in *empty*."""
        return lambda: {name for name in tables_of(empty) if len(name) == 1}

    @pytest.fixture
    def migration_file(self, tmp_path: Path) -> Callable[..., migrate.Source]:
        """Write a migration, ``migration_file(name, *up, down="", head="")``.

        It returns the source of all that the test has written; see `write_migration`.
        """
        return partial(write_migration, tmp_path / "files")

    @pytest.fixture
    def samples(self, store: core.SqlStore) -> core.SqlStore:
        """A store with an empty table that has a column of each portable type.

        The types of bytes, times and JSON have a different name on each engine: they
        are those of the columns of the shipped schema.
        """
        store.execute(
            "CREATE TABLE samples AS SELECT"
            " id, email AS text, hash AS data, last_used AS moment, input AS document,"
            " CAST(0 AS BIGINT) AS whole, CAST(0 AS DOUBLE PRECISION) AS ratio,"
            " CAST(0 AS BOOLEAN) AS flag"
            " FROM (SELECT users.id, email, hash, last_used FROM users, api_keys) AS u,"
            " workflow_states WHERE 1 = 0"
        )
        return store

    @pytest.fixture
    def program(
        self, config: dict[str, object]
    ) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
        """Run Python code in another process; it finds ``config`` and ``core``."""
        started: list[subprocess.Popen[str]] = []
        start = (
            "import json, sys\nfrom mooring import core\n"
            "config = json.loads(sys.stdin.readline())\n"
        )

        def program(code: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", start + code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            assert process.stdin is not None
            # Not on the command line: it may hold a password.
            process.stdin.write(json.dumps(config) + "\n")
            process.stdin.flush()
            return process

        yield program
        for process in started:
            process.kill()
            process.communicate(timeout=PATIENCE)

    @pytest.fixture
    def spawn(self) -> Iterator[Callable[..., "Future[Any]"]]:
        """Call a function in a thread of its own; none outlives the test."""
        with threads() as spawn:
            yield spawn

    @pytest.fixture
    def loop(self) -> Callable[[int, int], tuple[int, Random]]:
        """Return rounds or seconds, ``loop(short, full)``, and seeded randomness.

        ``MOORING_SOAK=1`` asks for the full count, ``MOORING_SEED`` for the seed that a
        failed run printed.
        """
        return partial(rounds, report=print)
