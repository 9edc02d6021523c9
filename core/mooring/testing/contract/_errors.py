"""What the engine refuses arrives as an error of ours, its own as the cause."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._statements import KEY, USER

FLOW = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, usage)"
    " VALUES (:id, 'w', 'RUNNING', :usage)"
)
REFUSED: dict[str, tuple[type[core.StoreError], str, dict[str, object]]] = {
    "primary key": (
        core.UniqueViolation, USER, {"id": "u1", "email": "new", "role": "user"}),
    "unique": (
        core.UniqueViolation, USER, {"id": "u2", "email": "u1@a", "role": "user"}),
    "unique expression": (
        core.UniqueViolation, USER, {"id": "u2", "email": "U1@A", "role": "user"}),
    "foreign key": (
        core.ForeignKeyViolation, KEY,
        {"id": "k", "user": "nobody", "hash": b"x", "prefix": "p"}),
    "check": (core.CheckViolation, USER, {"id": "u2", "email": "b", "role": "guest"}),
    "check of JSON": (core.CheckViolation, FLOW, {"id": "w", "usage": core.Json({})}),
    "malformed JSON": (core.CheckViolation, FLOW, {"id": "w", "usage": "no JSON"}),
    "empty JSON": (core.CheckViolation, FLOW, {"id": "w", "usage": ""}),
    "not null": (
        core.NotNullViolation, USER, {"id": "u2", "email": None, "role": "user"}),
    "not null key": (
        core.NotNullViolation, USER, {"id": None, "email": "b", "role": "user"}),
    "update to null": (core.NotNullViolation, "UPDATE users SET role = NULL", {}),
    "update to a check": (core.CheckViolation, "UPDATE users SET role = 'x'", {}),
    "syntax": (core.StatementError, "SELEC 1", {}),
    "unfinished": (core.StatementError, "SELECT (1", {}),
    "unknown table": (core.StatementError, "SELECT * FROM nowhere", {}),
    "unknown column": (core.StatementError, "SELECT nothing FROM users", {}),
    "unknown function": (core.StatementError, "SELECT there_is_none(1)", {}),
    "table exists": (core.StatementError, "CREATE TABLE users (id BIGINT)", {}),
}  # fmt: skip


def alone(store: core.SqlStore, sql: str, values: dict[str, object]) -> object:
    return store.execute(sql, values)


def inside(store: core.SqlStore, sql: str, values: dict[str, object]) -> object:
    with store.transaction() as tx:
        return tx.execute(sql, values)


class ErrorsContract:
    """What the engine refuses arrives as an error of ours, its own as the cause."""

    @pytest.fixture
    def with_one_user(self, store: core.SqlStore) -> core.SqlStore:
        """A store with one user."""
        store.execute(USER, {"id": "u1", "email": "u1@a", "role": "user"})
        return store

    @pytest.mark.parametrize("run", [alone, inside])
    @pytest.mark.parametrize(("kind", "sql", "values"), REFUSED.values(), ids=REFUSED)
    def test_what_the_engine_refuses_is_typed_and_keeps_its_cause(
        self,
        with_one_user: core.SqlStore,
        run: Callable[..., object],
        kind: type[core.StoreError],
        sql: str,
        values: dict[str, object],
    ) -> None:
        with pytest.raises(core.StoreError) as caught:
            run(with_one_user, sql, values)

        assert type(caught.value) is kind
        assert caught.value.message
        assert "\n" not in caught.value.message
        assert not caught.value.retryable
        cause = caught.value.__cause__
        assert cause is not None
        assert not isinstance(cause, core.MooringError)
        assert with_one_user.execute("SELECT role FROM users").scalar() == "user"

    @pytest.mark.parametrize(
        "kind",
        [
            core.UniqueViolation,
            core.ForeignKeyViolation,
            core.CheckViolation,
            core.NotNullViolation,
        ],
    )
    def test_every_violation_is_an_integrity_error(
        self, kind: type[core.StoreError]
    ) -> None:
        assert issubclass(kind, core.IntegrityError)
        assert issubclass(kind, core.StoreError)

    def test_malformed_json_is_a_check_violation_when_updated_too(
        self,
        store: core.SqlStore,
    ) -> None:
        store.execute(FLOW, {"id": "w", "usage": core.Json([])})

        with pytest.raises(core.CheckViolation):
            store.execute("UPDATE workflow_states SET usage = :v", {"v": "{"})

        with pytest.raises(core.CheckViolation), store.transaction() as tx:
            tx.execute("UPDATE workflow_states SET usage = :v", {"v": "[1"})
        found = store.execute(
            "SELECT usage FROM workflow_states WHERE usage IS NOT NULL"
        )
        assert len(found.all()) == 1

    @requires(Capability.CASCADING_FOREIGN_KEYS)
    def test_a_foreign_key_cascades(self, with_one_user: core.SqlStore) -> None:
        with_one_user.execute(
            KEY, {"id": "k", "user": "u1", "hash": b"x", "prefix": "p"}
        )
        with_one_user.execute("DELETE FROM users")

        assert with_one_user.execute("SELECT count(*) FROM api_keys").scalar() == 0

    def test_an_error_of_one_statement_does_not_harm_the_next(
        self,
        open_store: Callable[..., core.SqlStore],
    ) -> None:
        store = open_store(max_open_conns=1)
        for kind, sql, values in REFUSED.values():
            if kind is core.StatementError:
                with pytest.raises(kind):
                    store.execute(sql, values)
                # What would write may be refused for that before it is looked at.
                refused = (kind, core.ReadOnlyError)
                with pytest.raises(refused), store.read() as snapshot:
                    snapshot.execute(sql, values)

        store.execute(USER, {"id": "u1", "email": "a", "role": "user"})

        assert store.execute("SELECT count(*) FROM users").scalar() == 1

    def test_a_place_in_the_text_is_told_where_the_engine_tells_it(
        self,
        store: core.SqlStore,
    ) -> None:
        sql = "SELECT id FROM users WHERE '%' = 'é' OR id = :name AND role = :x FORM"
        with pytest.raises(core.StatementError) as caught:
            store.execute(sql, {"name": "n", "x": "x"})

        assert caught.value.offset == sql.index("FORM")

    def test_an_error_survives_pickling(self, with_one_user: core.SqlStore) -> None:
        with pytest.raises(core.UniqueViolation) as caught:
            with_one_user.execute(USER, {"id": "u1", "email": "b", "role": "user"})

        copy: Any = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

        assert type(copy) is core.UniqueViolation
        assert str(copy) == str(caught.value)

    @pytest.mark.parametrize(
        ("kind", "retryable"),
        [
            (core.StoreBusyError, True),
            (core.PoolTimeoutError, True),
            (core.SerializationError, True),
            (core.ConnectionLostError, True),
            (core.OutcomeUnknownError, False),
            (core.StatementTimeoutError, False),
            (core.TransactionAbortedError, False),
            (core.NestedTransactionError, False),
            (core.ReadOnlyError, False),
            (core.StoreClosedError, False),
            (core.CorruptStoreError, False),
            (core.OpenError, False),
            (core.UnavailableError, True),
            (core.IntegrityError, False),
            (core.ParameterError, False),
            (core.ResultError, False),
        ],
    )
    def test_each_error_says_if_a_retry_can_help(
        self, kind: type[core.MooringError], *, retryable: bool
    ) -> None:
        error = kind("what happened", hint="what to do")

        assert error.retryable is retryable
        assert issubclass(kind, core.MooringError)
        assert str(error) == "what happened\nhint: what to do"
