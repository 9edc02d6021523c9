"""What a store owes that speaks no SQL."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from mooring import core
from mooring.core import Capability, hookimpl
from mooring_keyvalue import KeyValueConfig

from mutant_drivers._mutant import caught_by
from mutant_drivers._plain_driver import PlainDriver, PlainStore

_kept: list[object] = []


@caught_by("test_a_store_is_what_its_protocols_ask_for", control="plain")
class SaysThatItSpeaksSql(PlainDriver):
    """The driver says that its stores speak SQL, and they do not."""

    sql = True


@caught_by(
    "test_a_write_after_close_says_so",
    "test_leaving_the_block_closes",
    control="plain",
)
class GoesOnAfterItsEnd(PlainStore):
    """A plain store that was closed goes on from a copy in memory."""

    def __init__(self, config: KeyValueConfig) -> None:
        super().__init__(config)
        self._copy: dict[str, bytes] = {}

    def put(self, key: str, value: bytes) -> None:
        self._copy[key] = value
        if not self.closed:
            super().put(key, value)

    def get(self, key: str) -> bytes | None:
        return self._copy.get(key)


@caught_by("test_closing_again_does_nothing", control="plain")
class ClosesOnlyOnce(PlainStore):
    """A second close of a plain store is an error."""

    def close(self) -> None:
        if not self.inherited:
            self.require_open()
        super().close()


@caught_by("test_a_store_that_is_forgotten_warns", control="plain")
class IsForgottenInSilence(PlainStore):
    """A plain store that was not closed does not warn."""

    def __del__(self, _warn: Any = None) -> None:
        self._closed = True


@caught_by(
    "test_a_forked_child_may_not_use_the_store_and_does_not_harm_it", control="plain"
)
class ServesAForkedChild(PlainStore):
    """A plain store lets a forked child use what belongs to its parent."""

    @property
    def inherited(self) -> bool:
        return False


@caught_by("test_threads_lose_nothing_of_each_other", control="plain")
class KeepsEachThreadItsOwn(PlainStore):
    """A thread does not see what another one has put into the store."""

    def __init__(self, config: KeyValueConfig) -> None:
        super().__init__(config)
        self._own = threading.local()

    def put(self, key: str, value: bytes) -> None:
        super().put(key, value)
        setattr(self._own, key, value)

    def get(self, key: str) -> bytes | None:
        super().get(key)
        found: bytes | None = getattr(self._own, key, None)
        return found


@caught_by(
    "test_what_was_committed_is_there_when_it_is_opened_again",
    control="plain_and_lasting",
)
class ForgetsWhatItKept(PlainDriver):
    """A store without SQL that begins anew each time is told to be durable."""

    capabilities = frozenset({Capability.DURABLE})

    @hookimpl
    def open_store(self, config: Any) -> PlainStore:
        for suffix in (".dat", ".dir", ".bak"):
            if os.path.exists(config.path + suffix):
                os.remove(config.path + suffix)
        return super().open_store(config)


@caught_by("test_two_stores_have_nothing_in_common", control="plain")
class SharesItsValues(PlainStore):
    """Two plain stores of different places hold the same values."""

    _shared: ClassVar[dict[str, bytes]] = {}

    def put(self, key: str, value: bytes) -> None:
        super().put(key, value)
        self._shared[key] = value

    def get(self, key: str) -> bytes | None:
        super().get(key)
        return self._shared.get(key)


@caught_by("test_it_never_writes", control="plain")
class WritesToSeeHowItIs(PlainDriver):
    """The health check of a plain store writes a value."""

    @hookimpl
    def health_check(self, store: PlainStore, timeout: float) -> core.Health:
        health = super().health_check(store, timeout)
        if health.ok:
            store.put("looked at", b"now")
        return health


@caught_by("test_a_closed_store_has_failed", control="plain")
class IsAlwaysWell(PlainDriver):
    """The health check of a plain store does not look at it."""

    @hookimpl
    def health_check(self) -> core.Health:  # type: ignore[override]  # a hook may leave them out
        check = core.Check(name="dbm", status="ok")
        return core.Health.of((check,), latency=0.0)


@caught_by("test_after_an_open_and_a_close_nothing_is_left", control="plain")
class KeepsItsFileOpen(PlainStore):
    """A plain store leaves a descriptor open when it is closed."""

    def close(self) -> None:
        if not self.closed:
            _kept.append(socket.socket())
        super().close()


@caught_by(
    "test_a_store_that_cannot_be_reached_says_so_in_time_and_leaves_nothing",
    control="plain",
    waits=True,
)
class LeaksWhereItCannotOpen(PlainDriver):
    """The open of a plain store leaves a descriptor open if it fails."""

    @hookimpl
    def open_store(self, config: Any) -> PlainStore:
        attempt = socket.socket()
        try:
            store = super().open_store(config)
        except BaseException:
            _kept.append(attempt)
            raise
        attempt.close()
        return store


@caught_by("test_repr_names_the_driver_and_the_state_and_no_secret", control="plain")
class ShowsItsPassword(PlainStore):
    """The repr of a plain store holds the password."""

    def _state(self) -> str:
        return f"as {self.config.password.reveal()}"


@caught_by(
    "test_the_error_of_a_closed_store_keeps_its_hint_where_it_is_pickled",
    control="plain",
)
class LosesItsHint(PlainStore):
    """An error of a plain store arrives in another process without its hint."""

    @contextmanager
    def values(self, timeout: float) -> Iterator[Any]:
        if self.closed:
            raise _PlainError("the store is closed", hint="open it again")
        with super().values(timeout) as values:
            yield values


class _PlainError(core.StoreClosedError):
    def __reduce__(self) -> Any:
        return _PlainError, (self.message,)


@caught_by(
    "test_without_multi_process_a_second_process_does_not_get_at_the_data",
    control="plain",
)
class LetsOthersIn(PlainDriver):
    """A store without SQL that is for one process lets a second one read it."""

    @hookimpl
    def open_store(self, config: Any) -> PlainStore:
        lock = config.path + ".lock"
        if os.path.exists(lock):
            os.remove(lock)
        return super().open_store(config)
