"""What a statement returns: rows that are all there, and how many it changed."""

from collections.abc import Callable

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._statements import ADD

EVERY = "SELECT id, role FROM users ORDER BY id"
UPSERT = "INSERT INTO users (id, email, role) VALUES ('u1', 'x', 'user')"


CHANGES = {
    "insert": (("INSERT INTO users (id, email, role) VALUES ('a', 'a', 'user'),"
    " ('b', 'b', 'user')"), 2),
    "insert from select": (("INSERT INTO users (id, email, role)"
    " SELECT id || 'x', email || 'x', role FROM users"), 3),
    "insert nothing": (("INSERT INTO users (id, email, role)"
    " SELECT id, email, role FROM users WHERE 1 = 0"), 0),
    "upsert that does nothing": (UPSERT + " ON CONFLICT DO NOTHING", 0),
    "upsert that updates": (UPSERT
    + " ON CONFLICT (id) DO UPDATE SET role = excluded.role", 1),
    "update": ("UPDATE users SET role = 'admin'", 3),
    "update to the same": ("UPDATE users SET role = 'user' WHERE id <> 'u1'", 2),
    "update nothing": ("UPDATE users SET role = 'admin' WHERE id = 'u9'", 0),
    "delete": ("DELETE FROM users WHERE id <> 'u1'", 2),
    "delete nothing": ("DELETE FROM users WHERE id = 'u9'", 0),
    "with insert": (("WITH t AS (SELECT 'a' AS id UNION ALL SELECT 'b')"
    " INSERT INTO users (id, email, role) SELECT id, id, 'user' FROM t"), 2),
    "with update": (("WITH t AS (SELECT 'u1' AS id) UPDATE users SET role = 'admin'"
    " WHERE id IN (SELECT id FROM t)"), 1),
    "with update nothing": (("WITH t AS (SELECT 'u9' AS id) UPDATE users"
    " SET role = 'admin' WHERE id IN (SELECT id FROM t)"), 0),
    "with delete": (("WITH t AS (SELECT 'u1' AS id) DELETE FROM users"
    " WHERE id NOT IN (SELECT id FROM t)"), 2),
    "with delete nothing": (("WITH t AS (SELECT 'u9' AS id) DELETE FROM users"
    " WHERE id IN (SELECT id FROM t)"), 0),
    "with recursive": (("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 4) INSERT INTO users (id, email, role)"
    " SELECT CAST(i AS TEXT), CAST(i AS TEXT), 'user' FROM n"), 4),
    "comment and case": ("/* SELECT */ -- SELECT\n uPdAtE users SET role = 'admin'", 3),
}  # fmt: skip


class ResultsContract:
    """What a statement returns: all of its rows, and how many it changed."""

    @pytest.fixture
    def with_three_users(
        self, open_store: Callable[..., core.SqlStore]
    ) -> core.SqlStore:
        """A store of one connection with the users u1, u2 and u3."""
        store = open_store(max_open_conns=1)
        with store.transaction() as tx:
            for user in ("u1", "u2", "u3"):
                tx.execute(ADD, {"id": user})
        return store

    def test_rows_are_fetched_and_the_connection_is_free(
        self, with_three_users: core.SqlStore
    ) -> None:
        """The store has one connection: each next use shows that it came back."""
        results = [with_three_users.execute(EVERY) for _ in range(3)]
        changed = with_three_users.execute("DELETE FROM users RETURNING id")
        with_three_users.execute("DROP TABLE api_keys")
        with_three_users.close()

        assert [len(result.all()) for result in results] == [3, 3, 3]
        assert sorted(row["id"] for row in changed) == ["u1", "u2", "u3"]

    def test_a_result_outlives_its_scope(self, with_three_users: core.SqlStore) -> None:
        with with_three_users.transaction() as tx:
            result = tx.execute(EVERY)

        assert [row["id"] for row in result] == ["u1", "u2", "u3"]

    def test_a_result_may_be_iterated_again(
        self, with_three_users: core.SqlStore
    ) -> None:
        result = with_three_users.execute(EVERY)

        assert list(result) == list(result) == result.all()
        assert len(result.all()) == 3

    def test_a_row_is_read_by_name_and_position(
        self, with_three_users: core.SqlStore
    ) -> None:
        row = with_three_users.execute(
            "SELECT id, role FROM users WHERE id = 'u1'"
        ).one()

        assert row["id"] == row[0] == "u1"
        assert row["role"] == row[-1] == "user"
        assert row.keys() == ["id", "role"]
        assert dict(row) == {"id": "u1", "role": "user"}
        assert list(row) == ["u1", "user"]
        assert len(row) == 2
        assert repr(row) == "Row(id='u1', role='user')"

    def test_an_unknown_column_is_a_key_error_with_those_that_are_there(
        self,
        with_three_users: core.SqlStore,
    ) -> None:
        row = with_three_users.execute(
            "SELECT id, role FROM users WHERE id = 'u1'"
        ).one()

        with pytest.raises(KeyError, match=r"email.*id, role"):
            row["email"]
        with pytest.raises(IndexError):
            row[2]

    def test_a_name_that_stands_twice_is_not_guessed(
        self, store: core.SqlStore
    ) -> None:
        result = store.execute("SELECT 1 AS a, 2 AS a, 3 AS b")
        row = result.one()

        assert result.keys() == row.keys() == ["a", "a", "b"]
        assert tuple(row) == (1, 2, 3)
        assert row["b"] == 3
        with pytest.raises(KeyError, match="alias"):
            row["a"]

    def test_rows_with_the_same_columns_and_values_are_equal(
        self, store: core.SqlStore
    ) -> None:
        one = store.execute("SELECT 1 AS a").one()
        same = store.execute("SELECT 1 AS a").one()
        other = store.execute("SELECT 1 AS b").one()

        assert one == same
        assert hash(one) == hash(same)
        assert one != other
        assert one != (1,)

    def test_one_wants_exactly_one_row(self, with_three_users: core.SqlStore) -> None:
        assert (
            with_three_users.execute("SELECT id FROM users WHERE id = 'u2'").one()["id"]
            == "u2"
        )

        for sql, found in ((EVERY, "3"), (f"{EVERY} LIMIT 0", "none")):
            with pytest.raises(core.ResultError, match=found) as caught:
                with_three_users.execute(sql).one()

            assert caught.value.hint is not None
            assert not caught.value.retryable

    def test_one_or_none_wants_one_row_at_most(
        self, with_three_users: core.SqlStore
    ) -> None:
        one = with_three_users.execute(
            "SELECT id FROM users WHERE id = 'u2'"
        ).one_or_none()

        assert one is not None
        assert one["id"] == "u2"
        assert with_three_users.execute(f"{EVERY} LIMIT 0").one_or_none() is None
        with pytest.raises(core.ResultError, match="3"):
            with_three_users.execute(EVERY).one_or_none()

    def test_all_of_nothing_is_an_empty_list(
        self, with_three_users: core.SqlStore
    ) -> None:
        result = with_three_users.execute(f"{EVERY} LIMIT 0")

        assert result.all() == list(result) == []
        assert result.keys() == ["id", "role"]

    def test_scalar_wants_one_value(self, with_three_users: core.SqlStore) -> None:
        assert with_three_users.execute("SELECT count(*) FROM users").scalar() == 3
        assert (
            with_three_users.execute("SELECT max(id) FROM users WHERE 1 = 0").scalar()
            is None
        )

        for sql in (EVERY, f"{EVERY} LIMIT 1", f"{EVERY} LIMIT 0", "DELETE FROM users"):
            with pytest.raises(core.ResultError):
                with_three_users.execute(sql).scalar()

    def test_a_statement_without_rows_has_none(self, store: core.SqlStore) -> None:
        result = store.execute(ADD, {"id": "u1"})

        assert result.all() == []
        assert result.keys() == []
        assert result.one_or_none() is None

    @pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
    @pytest.mark.parametrize(("sql", "expected"), CHANGES.values(), ids=CHANGES)
    def test_rowcount_is_how_many_rows_a_statement_changed(
        self, with_three_users: core.SqlStore, sql: str, expected: int, *, inside: bool
    ) -> None:
        if inside:
            with with_three_users.transaction() as tx:
                result = tx.execute(sql)
        else:
            result = with_three_users.execute(sql)

        assert result.rowcount == expected
        assert result.all() == []

    @pytest.mark.parametrize("name", [n for n in CHANGES if "case" not in n])
    def test_returning_gives_the_rows_and_their_count(
        self, with_three_users: core.SqlStore, name: str
    ) -> None:
        sql, expected = CHANGES[name]

        result = with_three_users.execute(f"{sql} RETURNING id, role")

        assert result.rowcount == expected
        assert len(result.all()) == expected
        assert result.keys() == ["id", "role"]

    def test_a_repeated_statement_counts_anew(
        self, with_three_users: core.SqlStore
    ) -> None:
        sql = "WITH t AS (SELECT 1) DELETE FROM users WHERE id = :id"

        counts = [
            with_three_users.execute(sql, {"id": "u1"}).rowcount for _ in range(2)
        ]

        assert counts == [1, 0]

    @requires(Capability.CASCADING_FOREIGN_KEYS)
    def test_a_cascade_does_not_count(self, with_three_users: core.SqlStore) -> None:
        for key in ("k1", "k2"):
            with_three_users.execute(
                "INSERT INTO api_keys (id, user_id, hash, prefix)"
                " VALUES (:id, 'u1', :hash, :id)",
                {"id": key, "hash": b"x"},
            )

        assert (
            with_three_users.execute("DELETE FROM users WHERE id = 'u1'").rowcount == 1
        )
        assert with_three_users.execute("SELECT count(*) FROM api_keys").scalar() == 0

    @pytest.mark.parametrize(
        "sql",
        [
            EVERY,
            "SELECT count(*) FROM users",
            "WITH t AS (SELECT id FROM users) SELECT id FROM t",
            "VALUES (1), (2)",
            "CREATE TABLE made (id BIGINT)",
            "CREATE TABLE made AS SELECT * FROM users",
            "ALTER TABLE users ADD COLUMN extra TEXT",
            "CREATE INDEX made ON users (role)",
            "DROP TABLE api_keys",
        ],
    )
    def test_every_other_statement_has_no_rowcount(
        self, with_three_users: core.SqlStore, sql: str
    ) -> None:
        assert with_three_users.execute(sql).rowcount is None

    def test_a_result_says_in_words_what_it_is(
        self, with_three_users: core.SqlStore
    ) -> None:
        assert repr(with_three_users.execute(EVERY)) == "<Result 3 rows of 2 columns>"
        assert (
            repr(with_three_users.execute("DELETE FROM users"))
            == "<Result 3 rows changed>"
        )
