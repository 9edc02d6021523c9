"""One scope a context: a second is refused at once, and never a false alarm."""

from contextlib import suppress
from typing import Any

from mooring import core
from mooring.core import MooringError, PoolStats

from mutant_drivers._driver import Params, Store, Transaction
from mutant_drivers._mutant import caught_by


@caught_by("test_a_second_use_beside_an_open_scope_is_refused_and_harms_nothing")
class ReadsBesideAScope(Store):
    """A single read beside an open scope runs, and does not see its work."""

    def execute(self, sql: str, params: Params = None) -> core.Result:
        statement = self.translate(sql)
        if statement.writes:
            return super().execute(sql, params)
        return self._execute(statement, *statement.bind(params))


@caught_by("test_closing_inside_a_scope_leaves_the_store_open")
class ClosesUnderAScope(Store):
    """The store may be closed inside its own block, and waits for itself."""

    def close(self) -> None:
        self._closed = True
        for pool in self.pools():
            with suppress(core.StoreBusyError):
                pool.close(0)


@caught_by("test_a_copied_context_is_not_misled_after_the_scope")
class RemembersScopesThatEnded(Transaction[Any]):
    """A context that was copied while a scope was open is refused after it, too."""

    def belongs_to(self, store: object) -> bool:
        return self._store is store and self._state != "new"


@caught_by("test_scopes_of_two_stores_stand_in_one_context")
class TakesStoresForOne(Transaction[Any]):
    """A scope of one store refuses the use of any other."""

    def belongs_to(self, store: object) -> bool:  # noqa: ARG002 - that it does not matter is the defect
        return self.is_open


@caught_by(
    "test_a_nesting_that_cannot_be_seen_ends_at_the_deadline_with_who_holds",
    "test_waiting_for_a_connection_ends_with_who_has_it_and_how_long",
)
class DoesNotSayWhoHoldsIt(Store):
    """The end of a wait does not say who has the connection."""

    def _turn_error(
        self,
        waited: float,
        stats: PoolStats,
        holders: list[str],  # noqa: ARG002 - that it does not matter is the defect
    ) -> MooringError:
        return super()._turn_error(waited, stats, [])
