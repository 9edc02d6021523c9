"""A health check answers for this moment, in time, and never writes."""

import weakref
from typing import Any

import attrs
from mooring import core
from mooring.core import Health, hookimpl

from mutant_drivers._driver import Driver, Store
from mutant_drivers._mutant import caught_by


@caught_by("test_a_closed_store_has_failed")
class AnswersFromACache(Driver):
    """The answer is the one that was found when the store was opened."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._known: weakref.WeakKeyDictionary[Any, Health] = (
            weakref.WeakKeyDictionary()
        )

    @hookimpl
    def open_store(self, config: Any) -> Store:
        store = super().open_store(config)
        self._known[store] = super().health_check(store, deep=True, timeout=5)
        return store

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:  # noqa: ARG002 - that it does not matter is the defect
        return self._known[store]


@caught_by("test_it_never_writes")
class ChecksByWriting(Driver):
    """A health check writes a row, to see if it can, and takes it back."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        if not store.closed:
            lease = store._writers.acquire(timeout)
            lease.connection.control("CREATE TABLE mooring_health (x)")
            lease.connection.control("DROP TABLE mooring_health")
            store._writers.release(lease)
        return super().health_check(store, deep, timeout)


@caught_by("test_it_needs_no_lock_that_a_writer_holds")
class ChecksUnderTheWriteLock(Driver):
    """A health check waits for the lock to write."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        if not store.closed:
            store._writers.release(store._writers.acquire(min(timeout, 0.2)))
        return super().health_check(store, deep, timeout)


@caught_by(
    "test_it_answers_in_time_while_another_thread_holds_what_it_needs", waits=True
)
class ChecksAsLongAsItTakes(Driver):
    """A health check waits for a connection as long as everybody else."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:  # noqa: ARG002 - that it does not matter is the defect
        return super().health_check(store, deep, store.config.pool_timeout)


@caught_by("test_it_leaves_nothing_behind")
class ChecksAndLeavesATransaction(Driver):
    """A health check leaves its transaction open on the connection."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        health = super().health_check(store, deep, timeout)
        if not store.closed:
            lease = store.pools()[-1].acquire(timeout)
            if not lease.connection.in_transaction:
                lease.connection.control("BEGIN")
            store.pools()[-1].release(lease)
        return health


@caught_by("test_what_is_wrong_comes_with_what_to_do_about_it")
class FailsWithoutAdvice(Driver):
    """A check says that something is wrong, and not what to do."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        health = super().health_check(store, deep, timeout)
        checks = [attrs.evolve(check, fix="") for check in health.checks]
        return Health.of(tuple(checks), latency=health.latency)


@caught_by("test_a_deep_check_looks_at_all_that_an_ordinary_one_does")
class LooksElsewhereWhenDeep(Driver):
    """A deep check looks only at what an ordinary one does not."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        health = super().health_check(store, deep, timeout)
        ordinary = {c.name for c in super().health_check(store, False, timeout).checks}
        if not deep or store.closed:
            return health
        checks = [check for check in health.checks if check.name not in ordinary]
        return Health.of(tuple(checks), latency=health.latency)


@caught_by("test_each_check_has_a_name_of_its_own_that_programs_can_use")
class CallsEveryCheckTheSame(Driver):
    """All checks have one name, which no program can tell apart."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:
        health = super().health_check(store, deep, timeout)
        checks = [attrs.evolve(check, name="check") for check in health.checks]
        return Health.of(tuple(checks), latency=health.latency)


@caught_by("test_reading_all_of_the_data_finds_nothing_in_a_store_that_is_well")
class FindsDamageThatIsNotThere(Driver):
    """Reading all of the data takes rows that nobody refers to for damage."""

    @hookimpl
    def health_check(  # type: ignore[override]  # what this driver looks at beside
        self, store: Store, deep: bool, timeout: float, integrity: bool
    ) -> Health:
        health = super().health_check(store, deep, timeout)
        if not integrity:
            return health
        damage = core.Check(name="integrity", status="failed", fix="restore a backup")
        return Health.of((*health.checks, damage), latency=health.latency)


@caught_by("test_a_closed_store_has_failed")
class SaysThatAllIsWell(Driver):
    """A health check says what the store was configured to be."""

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> Health:  # noqa: ARG002 - that it does not matter is the defect
        return Health.of((core.Check(name="ping", status="ok"),), latency=0.0)
