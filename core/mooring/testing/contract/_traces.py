"""A store leaves nothing behind in its process, and nothing in another store."""

import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires_sql
from mooring.testing.contract._fixture_types import Holds, Spawn, Write
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import ADD, COUNT, ENDLESS

BROKEN = "-- +goose Up\nCREATE TABLE broken (id BIGINT);\nSELEC 1;\n"
# Where a process sees its own open descriptors.
_DESCRIPTORS = ("/proc/self/fd", "/dev/fd")


def held() -> Counter[str]:
    """Return the threads of the process, and what its descriptors are open on."""
    gc.collect()
    found = Counter(f"thread {thread.name}" for thread in threading.enumerate())
    folder = next((place for place in _DESCRIPTORS if os.path.isdir(place)), None)
    for name in os.listdir(folder) if folder else ():
        # The descriptor of the listing itself is closed by now.
        with suppress(OSError):
            found[_described(folder, name)] += 1
    return found


def _described(folder: str | None, name: str) -> str:
    if folder == _DESCRIPTORS[0]:
        return os.readlink(f"{folder}/{name}")
    os.fstat(int(name))
    return f"descriptor {name}"


def left_since(before: Counter[str]) -> Counter[str]:
    """Return what is held now and was not; a thread has a moment to end."""
    until = monotonic() + 5
    while left := held() - before:
        if monotonic() > until:
            break
        sleep(0.02)
    return left


def state() -> dict[str, object]:
    """Return what all of a process shares, as far as a driver might change it."""
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "import path": list(sys.path),
        "locale": locale.setlocale(locale.LC_ALL),
        "log level": logging.getLogger().level,
        "log handlers": list(logging.getLogger().handlers),
        "warning filters": list(warnings.filters),
        "signal handlers": {
            number: signal.getsignal(number) for number in signal.valid_signals()
        },
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "exception hooks": (sys.excepthook, threading.excepthook),
    }


class TracesContract:
    """A store leaves nothing behind in its process, and nothing in another store."""

    @pytest.fixture
    def warm(self, config: dict[str, object]) -> Counter[str]:
        """What the process holds once it has used such a store, and closed it."""
        _used(config)
        return held()

    def test_after_an_open_and_a_close_nothing_is_left(
        self, warm: Counter[str], config: dict[str, object]
    ) -> None:
        for _ in range(3):
            with _no_warning():
                _used(config)

        assert left_since(warm) == Counter()

    @requires_sql()
    def test_after_writers_and_readers_no_thread_and_no_descriptor_is_left(
        self, warm: Counter[str], config: dict[str, object], spawn: Spawn
    ) -> None:
        options = {"max_open_conns": 6, "statement_timeout": 0.1, "pool_timeout": 5}
        store = core.open({**config, **options})

        def write(worker: int) -> None:
            for number in range(8):
                store.execute(ADD, {"id": f"{worker}-{number}"})
                with suppress(core.IntegrityError), store.transaction() as tx:
                    tx.execute(ADD, {"id": f"{worker}-{number}"})

        def read(worker: int) -> None:
            for _ in range(8):
                with store.read() as snapshot:
                    snapshot.execute(COUNT)
                    next(snapshot.stream("SELECT id FROM users", size=1), None)
            if worker == 0:
                with suppress(core.StatementTimeoutError):
                    store.execute(ENDLESS)
            core.health_check(store, deep=True)

        working = [spawn(work, n) for work in (write, read) for n in range(4)]
        for future in working:
            future.result(PATIENCE)
        written = store.execute(COUNT).scalar()
        store.close()

        assert written == 4 * 8
        assert left_since(warm) == Counter()

    def test_what_is_held_is_seen_by_what_shows_that_nothing_is(
        self, warm: Counter[str], spawn: Spawn, tmp_path: Path
    ) -> None:
        done = threading.Event()
        waiting = spawn(done.wait, PATIENCE, name="held-up")
        with open(tmp_path / "held-open", "w"):
            left = held() - warm
        done.set()
        waiting.result(PATIENCE)

        assert left["thread held-up"] == 1
        assert left.total() == 2 if os.path.isdir(_DESCRIPTORS[0]) else left.total() > 0

    @requires_sql()
    @pytest.mark.parametrize("kind", ["migration", "pending", "twice"])
    def test_an_open_that_fails_leaves_nothing(
        self, warm: Counter[str], config: dict[str, object], kind: str, tmp_path: Path
    ) -> None:
        (tmp_path / "broken_files").mkdir()
        (tmp_path / "broken_files" / "1_broken.sql").write_text(BROKEN)
        source = migrate.Source(str(tmp_path / "broken_files"), table="broken_versions")
        how: dict[str, dict[str, Any]] = {
            "migration": {"migrations": source},
            "pending": {"migrations": source, "migrate": "verify"},
            "twice": {"migrations": [source, source]},
        }
        for _ in range(3):
            with (
                _no_warning(),
                pytest.raises(core.MigrationError),
            ):
                core.open(config, **how[kind])

        assert left_since(warm) == Counter()

    def test_a_store_that_cannot_be_reached_says_so_in_time_and_leaves_nothing(
        self, warm: Counter[str], unreachable_config: Mapping[str, object]
    ) -> None:
        started = monotonic()
        for _ in range(3):
            with _no_warning(), pytest.raises(core.StoreError) as caught:
                core.open({**unreachable_config, "connect_timeout": 1})
        took = monotonic() - started

        assert caught.value.hint
        assert took < PATIENCE
        assert left_since(warm) == Counter()

    def test_the_process_is_as_it_was(self, config: dict[str, object]) -> None:
        core.open(config).close()
        before = state()
        with core.open(config) as store:
            inside = state()
            core.health_check(store, deep=True)
            if isinstance(store, core.SqlStore):
                _at_work(store)

        assert inside == before
        assert state() == before

    def test_two_stores_have_nothing_in_common(
        self,
        config: dict[str, object],
        fresh_config: Mapping[str, object],
        write: Write,
        holds: Holds,
    ) -> None:
        with core.open({**config, "pool_timeout": 7}) as one:
            with core.open({**fresh_config, "pool_timeout": 8}) as other:
                write(one, "u1")
                write(other, "u2")
                seen = [holds(store, "u1") for store in (one, other)]
                settings = [store.config.pool_timeout for store in (one, other)]
            # One is closed: the other goes on.
            write(one, "u3")

            assert not core.health_check(other).ok
            assert core.health_check(one).ok
            assert (seen, settings) == ([True, False], [7, 8])
            assert [holds(one, name) for name in ("u1", "u2")] == [True, False]

    @requires_sql()
    def test_two_stores_do_not_see_each_other_s_settings(
        self, config: dict[str, object], spawn: Spawn
    ) -> None:
        strict = {**config, "statement_timeout": 0.15, "max_open_conns": 1}
        with core.open({**config, "statement_timeout": 0.8}) as patient:
            with core.open(strict) as hasty:
                waiting = spawn(patient.execute, ENDLESS)
                with pytest.raises(core.StatementTimeoutError):
                    hasty.execute(ENDLESS)
                assert not waiting.done()
                hasty.execute(COUNT)
            # One is closed: the other goes on.
            assert isinstance(waiting.exception(PATIENCE), core.StatementTimeoutError)
            patient.execute(COUNT)

            assert patient.config.statement_timeout == 0.8

    @requires_sql()
    def test_two_stores_hold_no_scope_of_each_other(
        self, config: dict[str, object]
    ) -> None:
        with core.open(config) as one, core.open(config) as other:
            with one.read() as first, other.read() as second:
                first.execute(COUNT)
                second.execute(COUNT)
            one.close()

            assert other.execute(COUNT).scalar() == 0
            assert core.health_check(other).ok
            assert not core.health_check(one).ok


def _used(config: dict[str, object]) -> None:
    """Open a store, use it as far as any store can be used, and close it."""
    with core.open(config) as store:
        if isinstance(store, core.SqlStore):
            store.execute(COUNT)
        core.health_check(store, deep=True)


def _at_work(store: core.SqlStore) -> None:
    with store.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
    if Capability.SERIALIZABLE in store.capabilities:
        store.run(lambda tx: tx.execute(ADD, {"id": "u2"}))
    with store.read() as snapshot:
        snapshot.execute(COUNT)
    with pytest.raises(core.StatementError):
        store.execute("SELECT * FROM nowhere")


@contextmanager
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()

    assert [str(warning.message) for warning in caught] == []
