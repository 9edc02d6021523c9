"""What is declared is there, and what is not is refused."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs
from mooring import core
from mooring.core import Capability, hookimpl
from mooring.core._transaction import Isolation

from mutant_drivers._driver import Driver, Session, Store, Transaction
from mutant_drivers._mutant import caught_by


class _Lacking(Driver):
    """A driver whose stores lack a capability."""

    lacking: Capability

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.capabilities = frozenset(Capability) - {self.lacking}

    @hookimpl
    def open_store(self, config: Any) -> Store:
        store = super().open_store(config)
        store.capabilities -= {self.lacking}
        return store


class _LackingSavepoints(_Lacking):
    lacking = Capability.SAVEPOINTS


class _LackingSerializable(_Lacking):
    lacking = Capability.SERIALIZABLE


class _LackingCascades(_Lacking):
    lacking = Capability.CASCADING_FOREIGN_KEYS


class _RefusesCascades(Session):
    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        if "ON DELETE CASCADE" in text:
            raise core.StatementError("ON DELETE CASCADE is not supported here")
        return super().run(statement, text, values)


class _StoreThatRefusesCascades(Store):
    session_class = _RefusesCascades


class _WithoutCascades(_LackingCascades):
    store_class = _StoreThatRefusesCascades


LACKING: dict[str, Driver] = {
    "without_savepoints": _LackingSavepoints("without_savepoints"),
    "without_serializable": _LackingSerializable("without_serializable"),
    "without_cascades": _WithoutCascades("without_cascades"),
}


@caught_by("test_what_was_committed_is_there_when_it_is_opened_again")
class LiesAboutACapability(Driver):
    """A store in memory is told to be durable."""

    @hookimpl
    def open_store(self, config: Any) -> Store:
        store = super().open_store(attrs.evolve(config, path=":memory:"))
        store.capabilities |= {Capability.DURABLE}
        return store


class _NoSavepoint(Transaction[Any]):
    def savepoint(self) -> AbstractContextManager[Any]:  # type: ignore[override]  # it imitates one
        return nullcontext(self)


class _StoreThatImitatesSavepoints(Store):
    transaction_class = _NoSavepoint


@caught_by(
    "test_without_savepoints_one_is_refused_and_the_transaction_goes_on",
    control="without_savepoints",
)
class ImitatesSavepoints(_LackingSavepoints):
    """A savepoint of a store that has none does nothing."""

    store_class = _StoreThatImitatesSavepoints


class _StoreThatImitatesSerializable(Store):
    def transaction(
        self,
        *,
        isolation: Isolation = None,  # noqa: ARG002 - that it does not matter is the defect
        **_other: Any,
    ) -> Transaction[Any]:
        return super().transaction()


@caught_by(
    "test_without_serializable_nothing_is_begun",
    control="without_serializable",
)
class ImitatesSerializable(_LackingSerializable):
    """A store that has no serializable transactions runs others in their place."""

    store_class = _StoreThatImitatesSerializable


@caught_by(
    "test_without_cascades_a_key_that_asks_for_them_is_not_made",
    control="without_cascades",
)
class TakesCascadesItDoesNotDeclare(_LackingCascades):
    """A store that declares no cascades takes them nevertheless."""
