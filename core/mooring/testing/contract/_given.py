"""What a driver gives the tests of the contract, beside its configuration."""

from collections.abc import Mapping

import pytest

from mooring import core
from mooring.testing.contract._fixture_types import Footprint, Holds, RawQuery, Write

# Those that may be None, which leaves out the tests that ask for them.
OPTIONAL = (
    *("fresh_config", "unreachable_config"),
    *("footprint", "holds", "raw_query", "write"),
)


class GivenFixtures:
    """The fixtures that a driver may override; each says what it is by default."""

    @pytest.fixture
    def speaks_sql(self, config: dict[str, object]) -> bool:
        """Whether the driver declares that its stores speak SQL: not to override."""
        return core.default_registry().info(str(config["driver"])).sql

    @pytest.fixture
    def unreachable_config(self) -> Mapping[str, object] | None:
        """Options of a store that cannot be reached, such as a port without a server.

        None by default.
        """
        return None

    @pytest.fixture
    def fresh_config(self) -> Mapping[str, object] | None:
        """Options of a second store, as new and empty as that of ``config``.

        None by default.
        """
        return None

    @pytest.fixture
    def raw_query(self) -> RawQuery | None:
        """Read the data of ``config`` past the store: ``raw_query(sql)``, as tuples.

        It opens a connection of its own, with the client library alone, and closes it.
        None by default.
        """
        return None

    @pytest.fixture
    def write(self, *, speaks_sql: bool) -> Write | None:
        """Keep something under a new name: ``write(store, name)``.

        By default an INSERT, or None where there is no SQL.
        """
        if not speaks_sql:
            return None
        add = "INSERT INTO users (id, email, role) VALUES (:name, :name, 'user')"
        return lambda store, name: store.execute(add, {"name": name})

    @pytest.fixture
    def holds(self, *, speaks_sql: bool) -> Holds | None:
        """Say whether something is kept under a name: ``holds(store, name)``.

        By default a SELECT, or None where there is no SQL.
        """
        if not speaks_sql:
            return None
        count = "SELECT count(*) FROM users WHERE id = :name"
        return lambda store, name: store.execute(count, {"name": name}).scalar() == 1

    @pytest.fixture
    def footprint(self, *, speaks_sql: bool) -> Footprint | None:
        """Tell what a write would change, seen from outside: ``footprint(store)``.

        By default it counts rows, and is None where there is no SQL.
        """
        if not speaks_sql:
            return None
        # The last one is what a test makes.
        tables = ("workflow_states", "task_states", "users", "api_keys", "made")

        def count(store: core.SqlStore, table: str) -> object:
            try:
                return store.execute(f"SELECT count(*) FROM {table}").scalar()
            except core.StatementError:
                return "no such table"

        return lambda store: [count(store, table) for table in tables]

    @pytest.fixture
    def hasty(self) -> Mapping[str, object]:
        """Options that make every wait for a lock or a connection short."""
        return {"pool_timeout": 0.15}

    @pytest.fixture
    def leaky(self) -> tuple[str, ...]:
        """Statements of the engine that would outlive their caller."""
        return ()
