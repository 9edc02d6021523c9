"""Snapshots: one consistent state to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from mooring.core._result import Columns, Row
from mooring.core._scope import Scope
from mooring.core.errors import ArgumentError

if TYPE_CHECKING:
    from mooring.core._session import Batches, Session

S = TypeVar("S", bound="Session")


class Snapshot(Scope[S]):
    """One consistent state to read, from its first statement on.

    A write raises `ReadOnlyError`. After an error it is failed like a transaction,
    but may be left quietly: there is nothing to lose.
    """

    kind = "snapshot"
    loses_work = False
    __slots__ = ("_streams",)

    _streams: list[Batches] | None

    def stream(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        *,
        size: int = 1000,
    ) -> Iterator[Row]:
        """Yield the rows of a query, fetching *size* (>= 1) of them at a time.

        Memory holds *size* rows, however many there are. The rows end with the block:
        going on after it raises StoreError.
        """
        if self._state != "open":
            self._refuse()
        if type(size) is not int or size < 1:
            raise ArgumentError(f"size must be an int >= 1, not {size!r}")
        try:
            statement = self._translate(sql)
            text, values = statement.bind(params)
        except BaseException as error:
            self._fail(error)
            raise
        batches = self._session.stream(statement, text, values, size)
        if self._streams is None:
            self._streams = []
        self._streams.append(batches)
        return self._rows(batches)

    def _rows(self, batches: Batches) -> Iterator[Row]:
        try:
            while True:
                if self._state != "open":
                    self._refuse()
                batch = next(batches, None)
                if batch is None:
                    return
                columns = Columns(batch[0])
                for values in batch[1]:
                    yield Row(values, columns)
                    # Rows that end early and quietly would be taken for all.
                    if self._state != "open":
                        self._refuse()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            if self._state != "orphaned":
                batches.close()

    def _begin(self) -> None:
        self._streams = None  # the list is made for the first
        self._session.begin(isolation=None, read_only=True)

    def _end(self, *, failed: bool) -> None:  # noqa: ARG002 - it ends the same way
        streams, self._streams = self._streams, None
        for batches in streams or ():
            # Closing frees the engine's cursor; a thread that is in the middle of
            # one keeps it, and meets the closed scope at its next row.
            if not getattr(batches, "gi_running", False):
                batches.close()
        self._session.rollback()
