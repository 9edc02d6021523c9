"""What a store does not have it refuses, and no store has more than was declared."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
from mooring import core
from mooring.core import Capability, Registry, hookimpl
from mooring.core._session import Batches, Values

EVERY = frozenset(Capability)
COLUMNS = [("a",), ("b",)]


@attrs.frozen(kw_only=True)
class EngineConfig(core.StoreConfig):
    driver: str = attrs.field(default="engine", init=False)


class Engine:
    """A connection that does nothing, but refuses the first statements it is given."""

    def __init__(self, conflicts: int = 0) -> None:
        self.conflicts = conflicts
        self.calls: list[str] = []
        self.in_transaction = False

    def run(self, statement: core.Statement, text: str, values: Values) -> core.Result:
        self.calls.append(text)
        if len(self.calls) <= self.conflicts:
            raise core.SerializationError("a conflict")
        return core.Result([(values, statement.verb)], COLUMNS, None, self._read)

    def _read(self, rows: Any, names: Any, cls: type[Any]) -> list[Any]:
        return [cls(**dict(zip(names, row, strict=True))) for row in rows]

    def stream(
        self, statement: core.Statement, text: str, values: Values, size: int
    ) -> Batches:
        result = self.run(statement, text, values)
        yield COLUMNS, list(map(tuple, result))[:size]

    def begin(self, **how: object) -> None:
        self.calls.append("begin")
        self.in_transaction = bool(how)

    def commit(self) -> None:
        self.calls.append("commit")
        self.in_transaction = False

    def rollback(self) -> None:
        self.in_transaction = False

    def reset(self) -> bool:
        self.rollback()
        return True


Open = Callable[..., core.SqlStoreBase[Engine]]


@pytest.fixture
def open_engine(qmark: core.Dialect) -> Open:
    """Make stores of that engine, which need no closing: nothing is open."""

    def open_engine(
        engine: Engine, capabilities: frozenset[Capability] = frozenset()
    ) -> core.SqlStoreBase[Engine]:
        pool = core.Pool(
            lambda _: engine,
            lambda _: None,
            name="connections",
            max_open=1,
            max_idle=1,
            timeout=1,
        )
        return Quiet(
            EngineConfig(),
            capabilities=capabilities,
            target="here",
            translate=lambda sql: core.translate(sql, qmark),
            writers=pool,
            readers=pool,
        )

    return open_engine


class Quiet(core.SqlStoreBase[Engine]):
    def __del__(self, _warn: Any = None) -> None:
        """Nothing is open that a warning could be about."""


def driver(store: Callable[[], object], *declared: Capability) -> Registry:
    class Driver:
        @hookimpl
        def driver_info(self) -> core.DriverInfo:
            return core.DriverInfo(
                name="engine",
                config_class=EngineConfig,
                capabilities=frozenset(declared),
            )

        @hookimpl
        def open_store(self) -> object:
            return store()

        @hookimpl
        def health_check(self) -> core.Health:
            return core.Health.of((), latency=0.0)

    registry = Registry(discover=False)
    registry.register(Driver(), name="engine")
    return registry


# -- what a store does not have ---------------------------------------------------


def test_require_passes_what_the_store_has_and_names_what_it_does_not(
    open_engine: Open,
) -> None:
    store = open_engine(Engine(), frozenset({Capability.DURABLE}))
    store.require(Capability.DURABLE)

    for capability in EVERY - store.capabilities:
        with pytest.raises(core.UnsupportedByDriver, match=capability) as caught:
            store.require(capability)

        assert caught.value.capability == capability
        assert caught.value.driver == "engine"
        assert caught.value.hint is not None
        assert not caught.value.retryable


def test_a_savepoint_is_refused_and_the_transaction_goes_on(open_engine: Open) -> None:
    engine = Engine()
    store = open_engine(engine)
    with store.transaction() as tx:
        with pytest.raises(core.UnsupportedByDriver) as caught:
            tx.savepoint()
        tx.execute("SELECT 1")

    assert caught.value.capability == "savepoints"
    assert engine.calls == ["begin", "SELECT 1", "commit"]


def test_serializable_is_refused_before_anything_begins(open_engine: Open) -> None:
    engine = Engine()
    store = open_engine(engine)
    uses: list[Callable[[], object]] = [
        lambda: store.transaction(isolation="serializable"),
        lambda: store.run(lambda tx: tx.execute("SELECT 1")),
    ]
    for use in uses:
        with pytest.raises(core.UnsupportedByDriver) as caught:
            use()

        assert caught.value.capability == "serializable"

    assert engine.calls == []


def test_a_store_that_has_it_is_asked_for_it(open_engine: Open) -> None:
    engine = Engine()
    store = open_engine(engine, EVERY)

    assert store.run(lambda tx: tx.execute("SELECT 1").one()["b"]) == "SELECT"
    assert engine.calls == ["begin", "SELECT 1", "commit"]


# -- what its driver does not declare -----------------------------------------------


def test_a_store_that_claims_more_than_its_driver_declares_is_closed(
    open_engine: Open,
) -> None:
    claims = frozenset({Capability.DURABLE, Capability.SAVEPOINTS})
    store = open_engine(Engine(), claims)
    registry = driver(lambda: store, Capability.DURABLE)

    with pytest.raises(core.DriverProtocolError, match="savepoints") as caught:
        core.open({"driver": "engine"}, registry=registry)

    assert "durable" not in caught.value.message
    assert caught.value.driver == "engine"
    assert caught.value.hint is not None
    assert store.closed


def test_a_store_may_have_less_than_its_driver_declares(open_engine: Open) -> None:
    registry = driver(lambda: open_engine(Engine()), *EVERY)

    with core.open({"driver": "engine"}, registry=registry) as store:
        assert store.capabilities == frozenset()


@pytest.mark.parametrize("wrong", [None, {"durable"}, ("durable",)], ids=repr)
def test_capabilities_that_are_no_frozenset_make_no_store(
    open_engine: Open, wrong: Any
) -> None:
    registry = driver(lambda: open_engine(Engine(), wrong), *EVERY)

    with pytest.raises(core.DriverProtocolError, match="open_store"):
        core.open({"driver": "engine"}, registry=registry)


# -- conflicts of single statements --------------------------------------------------


def test_a_single_statement_is_run_again_on_a_conflict(open_engine: Open) -> None:
    engine = Engine(conflicts=3)

    assert open_engine(engine).execute("DELETE FROM t").one()["b"] == "DELETE"
    assert engine.calls == ["DELETE FROM t"] * 4


def test_conflicts_of_a_single_statement_are_bounded(open_engine: Open) -> None:
    engine = Engine(conflicts=1000)

    with pytest.raises(core.SerializationError):
        open_engine(engine).execute("DELETE FROM t")

    assert 1 < len(engine.calls) < 100


@pytest.mark.parametrize(
    "sql", ["CALL p()", "DO 'x'", "CREATE INDEX CONCURRENTLY i ON t (a)", "VACUUM"]
)
def test_a_statement_that_may_have_kept_a_part_is_not_run_again(
    open_engine: Open, sql: str
) -> None:
    engine = Engine(conflicts=1)

    with pytest.raises(core.SerializationError):
        open_engine(engine).execute(sql)

    assert engine.calls == [sql]


def test_a_statement_of_a_transaction_is_not_run_again(open_engine: Open) -> None:
    engine = Engine(conflicts=1)
    with suppress(core.SerializationError), open_engine(engine).transaction() as tx:
        engine.calls.clear()
        tx.execute("DELETE FROM t")

    assert engine.calls == ["DELETE FROM t"]
