"""Behind a pooler that lends another session of the server for each transaction."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres.testing import DatabaseServer, PgBouncer

MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Spawn = Callable[..., "Future[Any]"]

ADD_USER = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"

# What the next borrower of a session would find.
LEFT_BEHIND = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
    current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements),
    (SELECT count(*) FROM pg_cursors WHERE is_holdable)
"""


@pytest.fixture
def name(postgres_server: DatabaseServer) -> Iterator[str]:
    """A database of its own: no schema can be set through a pooler."""
    name = postgres_server.create_database()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def direct(postgres_server: DatabaseServer, name: str) -> dict[str, Any]:
    """The options that lead to it without a pooler."""
    return {"driver": "postgres", **postgres_server.params(name)}


@pytest.fixture
def plain(postgres_server: DatabaseServer, name: str) -> Iterator[Plain]:
    """A connection to it without us."""
    with postgres_server.connect(name) as connection:
        yield connection


def tables(plain: Plain) -> list[str]:
    rows = plain.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return sorted(name for (name,) in rows)


class TestMigrations:
    """The pooler itself is not needed for what must not go through it."""

    def test_pending_ones_are_refused_with_the_way_out(
        self, direct: dict[str, Any], plain: Plain
    ) -> None:
        with pytest.raises(core.MigrationError, match="transaction pooler") as caught:
            core.open({**direct, "pooler": "transaction"})

        assert "migration_conn_string" in str(caught.value.hint)
        assert tables(plain) == []

    def test_they_take_the_way_that_is_theirs(
        self, direct: dict[str, Any], postgres_server: DatabaseServer, name: str
    ) -> None:
        options = {"migration_conn_string": postgres_server.url(name)}
        with core.open({**direct, "pooler": "transaction", **options}) as store:
            assert store.execute("SELECT count(*) FROM users").scalar() == 0
        with core.open({**direct, "pooler": "transaction"}) as store:
            assert migrate.Migrator(store).at_head()

    def test_a_way_that_leads_nowhere_is_told_as_theirs(
        self, direct: dict[str, Any], plain: Plain
    ) -> None:
        url = "postgresql://nobody@127.0.0.1:1/elsewhere"
        with pytest.raises(core.UnavailableError) as caught:
            core.open({**direct, "migration_conn_string": url})

        assert caught.value.message.startswith("127.0.0.1:1/elsewhere: no server")
        assert tables(plain) == []

    @pytest.mark.parametrize("wrong", ["database", "schema"])
    def test_a_way_to_another_place_is_refused(
        self,
        direct: dict[str, Any],
        plain: Plain,
        postgres_server: DatabaseServer,
        postgres_database: str,
        wrong: str,
    ) -> None:
        url = postgres_server.url(postgres_database)
        if wrong == "schema":
            plain.execute("CREATE SCHEMA other")
            url = (
                f"{postgres_server.url(direct['dbname'])}?options=-csearch_path%3Dother"
            )
        with pytest.raises(core.MigrationError, match="another place") as caught:
            core.open({**direct, "migration_conn_string": url})

        assert postgres_server.password not in f"{caught.value} {caught.value.hint}"
        assert tables(plain) == []
        with postgres_server.connect(postgres_database) as other:
            assert "users" not in tables(other)


@pytest.mark.needs_pgbouncer
class TestThroughPgBouncer:
    @pytest.fixture
    def pooled(
        self,
        direct: dict[str, Any],
        pgbouncer: PgBouncer,
        postgres_server: DatabaseServer,
        name: str,
    ) -> dict[str, Any]:
        """The options that lead through the pooler, and past it to migrate."""
        return {
            **direct,
            "host": pgbouncer.host,
            "port": pgbouncer.port,
            "pooler": "transaction",
            "migration_conn_string": postgres_server.url(name),
        }

    def test_a_pooler_that_was_not_told_of_is_noticed(
        self, pooled: dict[str, Any], plain: Plain
    ) -> None:
        options = {**pooled, "pooler": "none"}
        with pytest.raises(core.OpenError, match="pooler") as caught:
            core.open(options)

        assert 'pooler="transaction"' in f"{caught.value} {caught.value.hint}"
        assert tables(plain) == []

    def test_one_that_drops_settings_is_noticed_as_well(
        self, pooled: dict[str, Any], postgres_server: DatabaseServer
    ) -> None:
        settings = {"ignore_startup_parameters": "options,extra_float_digits"}
        with PgBouncer(postgres_server, settings=settings) as pgbouncer:
            options = {**pooled, "pooler": "none", "port": pgbouncer.port}
            with pytest.raises(core.OpenError) as caught:
                core.open(options)

        assert 'pooler="transaction"' in str(caught.value.hint)

    def test_a_way_to_migrate_through_it_is_noticed(
        self, pooled: dict[str, Any], pgbouncer: PgBouncer, name: str
    ) -> None:
        options = {**pooled, "migration_conn_string": pgbouncer.url(name)}
        with pytest.raises(core.OpenError, match="pooler"):
            core.open(options)

    def test_many_threads_use_the_whole_store_and_leave_nothing(
        self,
        pooled: dict[str, Any],
        postgres_server: DatabaseServer,
        name: str,
        spawn: Spawn,
    ) -> None:
        """Few sessions for many connections, so that each is lent to all of them."""
        settings = {"default_pool_size": 3}
        with PgBouncer(postgres_server, settings=settings) as pgbouncer:
            options = {**pooled, "port": pgbouncer.port, "max_open_conns": 8}
            with core.open(options) as store:
                works = [spawn(work, store, f"w{number}") for number in range(8)]
                for done in works:
                    done.result(60)
                rows = store.execute("SELECT id FROM users ORDER BY id")
                health = core.health_check(store, deep=True, timeout=30)
            with pgbouncer.connect(name) as other:
                looks = [other.execute(LEFT_BEHIND, prepare=False) for _ in range(9)]
                left = {look.fetchone() for look in looks}

        assert len(rows.all()) == 8 * 10
        assert health.ok, health
        assert left == {("0", "0", '"$user", public', 0, 0)}


def work(store: core.SqlStore, worker: str) -> None:
    """Use each kind of scope many times, the same texts again and again."""
    for number in range(10):
        name = f"{worker}-{number}"
        with store.transaction() as tx:
            tx.execute(ADD_USER, {"id": name})
            with pytest.raises(core.UniqueViolation), tx.savepoint():
                tx.execute(ADD_USER, {"id": name})
            assert tx.execute("SHOW TimeZone").scalar()
        with store.read() as snapshot:
            before = snapshot.execute("SELECT count(*) FROM users").scalar()
            streamed = list(snapshot.stream("SELECT id FROM users", size=3))
            assert len(streamed) == before
            with pytest.raises(core.ReadOnlyError):
                snapshot.execute(ADD_USER, {"id": "x"})

        def count(tx: core.Transaction, name: str = name) -> object:
            sql = "SELECT role FROM users WHERE id = :id"
            return tx.execute(sql, {"id": name}).scalar()

        assert store.run(count) == "user"
        for _ in range(6):  # beyond prepare_threshold
            sql = "SELECT id FROM users WHERE id = :id"
            assert store.execute(sql, {"id": name}).scalar() == name
