"""Open, used, closed: once, in order, and in the process that opened it."""

import gc
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from time import monotonic
from typing import Any

import attrs
import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import lacks, requires, requires_sql
from mooring.testing.contract._fixture_types import (
    Holds,
    OpenStore,
    Program,
    RawQuery,
    Spawn,
    Write,
)
from mooring.testing.contract._forked import in_child
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import ADD, COUNT

SaysClosed = Callable[[core.Store], None]
USES: dict[str, Callable[[core.SqlStore], object]] = {
    "execute": lambda store: store.execute(COUNT),
    "transaction": lambda store: store.transaction().__enter__(),
    "read": lambda store: store.read().__enter__(),
}


FORK = """
import os
store = core.open(config)
add = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
count = "SELECT count(*) FROM users"

def in_child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0

def refused(use):
    try:
        use()
    except core.StoreClosedError as error:
        assert "process" in str(error) and error.hint, error
    else:
        raise SystemExit("the child may use the store of its parent")
"""


# Commits one row, and is killed in the transaction of another.
KILLED = """
import os, signal
add = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
store = core.open(config)
store.execute(add, {"id": "u1"})
with store.transaction() as tx:
    tx.execute(add, {"id": "u2"})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_to_its_end(process: "Popen[str]") -> None:
    _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, "")


class LifecycleContract:
    """Open, used, closed: once, in order, and in the process that opened it."""

    def test_a_store_is_what_its_protocols_ask_for(
        self, store: core.Store, config: dict[str, object], *, speaks_sql: bool
    ) -> None:
        assert isinstance(store, core.SqlStore if speaks_sql else core.Store)
        assert store.driver == config["driver"] == store.config.driver
        assert weakref.ref(store)() is store

    def test_a_store_has_no_capability_that_its_driver_does_not_declare(
        self, store: core.Store
    ) -> None:
        declared = core.default_registry().info(store.driver).capabilities
        (entry,) = [entry for entry in core.drivers() if entry.name == store.driver]

        assert entry.state == "loaded"
        assert store.capabilities <= declared <= frozenset(Capability)

    @pytest.mark.parametrize(
        "options",
        [
            {"migrations": "a folder"},
            {"migrations": ["a folder"]},
            {"migrations": None},
            {"migrate": "nonsense"},
            {"migrate": True},
        ],
        ids=str,
    )
    def test_wrong_arguments_are_told_before_anything_is_opened(
        self, config: dict[str, object], options: dict[str, Any], tmp_path: Path
    ) -> None:
        with pytest.raises(core.ArgumentError, match="migrat"):
            core.open(config, **options)
        assert list(tmp_path.iterdir()) == []

    def test_leaving_the_block_closes(
        self, config: dict[str, object], says_closed: SaysClosed
    ) -> None:
        with core.open(config) as store:
            assert core.health_check(store).ok

        says_closed(store)

    def test_an_exception_in_the_block_closes_and_goes_on(
        self, config: dict[str, object], says_closed: SaysClosed
    ) -> None:
        with pytest.raises(ZeroDivisionError), core.open(config) as store:
            raise ZeroDivisionError

        says_closed(store)

    def test_a_write_after_close_says_so(
        self, store: core.Store, write: Write, holds: Holds
    ) -> None:
        write(store, "u1")
        assert holds(store, "u1")
        store.close()

        for use in (write, holds):
            with pytest.raises(core.StoreClosedError, match="closed") as caught:
                use(store, "u1")

            assert caught.value.hint is not None
            assert not caught.value.retryable

    @requires_sql()
    @pytest.mark.parametrize("use", USES.values(), ids=USES)
    def test_every_use_after_close_says_so(
        self, store: core.SqlStore, use: Callable[[core.SqlStore], object]
    ) -> None:
        store.close()

        with pytest.raises(core.StoreClosedError, match="closed") as caught:
            use(store)

        assert caught.value.hint is not None
        assert not caught.value.retryable

    @requires_sql()
    @requires(Capability.SERIALIZABLE)
    def test_run_after_close_says_so(self, store: core.SqlStore) -> None:
        store.close()

        with pytest.raises(core.StoreClosedError, match="closed"):
            store.run(lambda tx: tx.execute(COUNT))

    def test_closing_again_does_nothing(
        self, store: core.Store, says_closed: SaysClosed
    ) -> None:
        store.close()
        store.close()
        with store:
            says_closed(store)

    def test_repr_names_the_driver_and_the_state_and_no_secret(
        self,
        store: core.Store,
    ) -> None:
        secrets = [
            value.reveal()
            for value in attrs.asdict(store.config, recurse=False).values()
            if isinstance(value, core.Secret)
        ]
        texts = [repr(store), str(store)]
        if isinstance(store, core.SqlStore):
            with store.transaction():
                texts.append(repr(store))
        store.close()

        for text in texts:
            assert text.startswith(f"<Store {store.driver} ")
            assert not [secret for secret in secrets if secret in text]
        assert "\n" not in texts[0]
        assert "closed" in repr(store)
        assert "closed" not in texts[0]

    def test_a_store_that_is_forgotten_warns(self, config: dict[str, object]) -> None:
        store = core.open(config)
        name = store.driver
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del store
            gc.collect()

        texts = [str(w.message) for w in caught if w.category is ResourceWarning]
        assert [text for text in texts if "was not closed" in text and name in text]

    def test_a_store_that_was_closed_does_not_warn(
        self, config: dict[str, object]
    ) -> None:
        store = core.open(config)
        if isinstance(store, core.SqlStore):
            with store.transaction() as tx:
                tx.execute(ADD, {"id": "u1"})
            del tx
        store.close()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del store
            gc.collect()

        assert not caught

    @requires_sql()
    def test_close_waits_a_bounded_time_and_says_who_has_a_connection(
        self, open_store: OpenStore, spawn: Spawn
    ) -> None:
        store = open_store(close_timeout=0.15)
        entered, done = threading.Event(), threading.Event()

        def hold() -> object:
            with store.transaction() as tx:
                entered.set()
                done.wait(PATIENCE)
                return tx.execute(COUNT).scalar()

        held = spawn(hold, name="holder-1")
        assert entered.wait(PATIENCE)
        started = monotonic()
        with pytest.raises(core.StoreBusyError, match="holder-1") as caught:
            store.close()
        took = monotonic() - started
        # It is closed for all who come now; who was there first may finish.
        with pytest.raises(core.StoreClosedError):
            store.execute(COUNT)
        done.set()

        assert held.result(PATIENCE) == 0
        assert took < PATIENCE
        assert caught.value.hint is not None
        assert "close_timeout" in caught.value.hint
        store.close()

    @requires_sql()
    def test_close_is_patient_with_who_is_about_to_leave(
        self, open_store: OpenStore, spawn: Spawn
    ) -> None:
        store = open_store(close_timeout=PATIENCE)
        entered, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.transaction() as tx:
                entered.set()
                done.wait(PATIENCE)
                tx.execute(ADD, {"id": "u1"})

        held = spawn(hold)
        assert entered.wait(PATIENCE)
        closing = spawn(store.close)
        with pytest.raises(TimeoutError):
            closing.result(0.1)
        done.set()
        held.result(PATIENCE)
        closing.result(PATIENCE)

        with pytest.raises(core.StoreClosedError):
            store.execute(COUNT)

    @requires_sql()
    def test_who_waits_for_a_connection_is_told_of_the_close(
        self, open_store: OpenStore, spawn: Spawn
    ) -> None:
        store = open_store(close_timeout=PATIENCE, max_open_conns=1)
        entered, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.transaction():
                entered.set()
                done.wait(PATIENCE)

        held = spawn(hold)
        assert entered.wait(PATIENCE)
        waiting = spawn(store.execute, COUNT)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        closing = spawn(store.close)
        error = waiting.exception(PATIENCE)
        done.set()
        held.result(PATIENCE)
        closing.result(PATIENCE)

        assert isinstance(error, core.StoreClosedError)

    def test_closing_in_many_threads_is_closing_once(
        self, store: core.Store, spawn: Spawn, says_closed: SaysClosed
    ) -> None:
        for future in [spawn(store.close) for _ in range(8)]:
            future.result(PATIENCE)

        says_closed(store)

    def test_threads_lose_nothing_of_each_other(
        self, store: core.Store, write: Write, holds: Holds, spawn: Spawn
    ) -> None:
        def work(worker: int) -> list[str]:
            names = [f"{worker}-{number}" for number in range(8)]
            for name in names:
                write(store, name)
                assert holds(store, name)
            return names

        for future in [spawn(work, worker) for worker in range(4)]:
            for name in future.result(PATIENCE):
                assert holds(store, name)
        assert not holds(store, "nobody's")

    @requires_sql()
    def test_a_store_that_cannot_be_migrated_is_closed(
        self, config: dict[str, object]
    ) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(core.MigrationsPendingError):
                core.open(config, migrate="verify")
            gc.collect()

        assert not caught

    @requires(Capability.DURABLE)
    def test_what_was_committed_is_there_when_it_is_opened_again(
        self, config: dict[str, object], write: Write, holds: Holds
    ) -> None:
        with core.open(config) as store:
            write(store, "u1")
        with core.open(config) as store:
            assert holds(store, "u1")

    @requires_sql()
    @requires(Capability.DURABLE)
    def test_what_was_committed_outlives_a_process_that_ends_at_once(
        self, config: dict[str, object], program: Program
    ) -> None:
        program(KILLED).communicate(timeout=PATIENCE)

        with core.open(config) as store:
            found = [row["id"] for row in store.execute("SELECT id FROM users")]
        assert found == ["u1"]

    @requires_sql()
    @requires(Capability.DURABLE)
    def test_what_was_committed_is_all_that_a_kill_leaves_in_the_database_itself(
        self, program: Program, raw_query: RawQuery
    ) -> None:
        program(KILLED).communicate(timeout=PATIENCE)

        assert raw_query("SELECT id FROM users") == [("u1",)]

    def test_a_forked_child_may_not_use_the_store_and_does_not_harm_it(
        self, store: core.Store, write: Write, holds: Holds
    ) -> None:
        def work() -> None:
            for use in (write, holds):
                with pytest.raises(core.StoreClosedError, match="process") as caught:
                    use(store, "of the child")
                assert caught.value.hint
            assert not core.health_check(store).ok
            store.close()

        write(store, "u1")
        assert in_child(work, PATIENCE) == ""
        write(store, "u2")

        assert [holds(store, name) for name in ("u1", "u2")] == [True, True]
        assert not holds(store, "of the child")
        assert core.health_check(store).ok

    @lacks(Capability.MULTI_PROCESS)
    def test_without_multi_process_a_second_process_does_not_get_at_the_data(
        self, store: core.Store, config: dict[str, object], write: Write, holds: Holds
    ) -> None:
        def work() -> None:
            try:
                own = core.open({**config, "connect_timeout": 0.2})
            except core.StoreBusyError as busy:
                refusal = busy
            else:
                with own:
                    assert not holds(own, "u1")
                return
            assert refusal.hint
            assert "process" in refusal.message

        write(store, "u1")
        assert in_child(work, PATIENCE) == ""

        assert holds(store, "u1")

    @requires_sql()
    def test_a_forked_child_is_told_that_the_store_is_not_its_own(
        self,
        program: Program,
    ) -> None:
        run_to_its_end(
            program(
                FORK + "def work():\n"
                "    refused(lambda: store.execute(count))\n"
                "    refused(lambda: store.execute(add, {'id': 'c'}))\n"
                "    refused(lambda: store.transaction().__enter__())\n"
                "    refused(lambda: store.read().__enter__())\n"
                "    store.close()\n"
                "store.execute(add, {'id': 'u1'})\n"
                "in_child(work)\n"
                "store.execute(add, {'id': 'u2'})\n"
                "assert store.execute(count).scalar() == 2\n"
                "store.close()\n"
            )
        )

    @requires_sql()
    def test_a_forked_child_that_forgets_the_store_harms_nobody(
        self, program: Program
    ) -> None:
        run_to_its_end(
            program(
                FORK + "import gc\n"
                "def work():\n"
                "    global store\n"
                "    del store\n"
                "    gc.collect()\n"
                "with store.read() as snapshot:\n"
                "    snapshot.execute(count)\n"
                "    in_child(work)\n"
                "    assert snapshot.execute(count).scalar() == 0\n"
                "store.execute(add, {'id': 'u1'})\n"
                "store.close()\n"
            )
        )

    @requires_sql()
    def test_a_scope_that_was_open_at_the_fork_belongs_to_the_parent(
        self,
        program: Program,
    ) -> None:
        run_to_its_end(
            program(
                FORK + "block = store.transaction()\n"
                "tx = block.__enter__()\n"
                "tx.execute(add, {'id': 'u1'})\n"
                "def work():\n"
                "    refused(lambda: tx.execute(add, {'id': 'c'}))\n"
                "    block.__exit__(SystemExit, SystemExit(), None)\n"
                "in_child(work)\n"
                "in_child(lambda: refused(lambda: block.__exit__(None, None, None)))\n"
                "tx.execute(add, {'id': 'u2'})\n"
                "block.__exit__(None, None, None)\n"
                "assert store.execute(count).scalar() == 2\n"
                "store.close()\n"
            )
        )

    @requires_sql()
    @requires(Capability.SAVEPOINTS)
    def test_a_forked_child_may_not_set_a_savepoint_for_its_parent(
        self,
        program: Program,
    ) -> None:
        run_to_its_end(
            program(
                FORK + "with store.transaction() as tx:\n"
                "    tx.execute(add, {'id': 'u1'})\n"
                "    in_child(lambda: refused(lambda: tx.savepoint().__enter__()))\n"
                "    tx.execute(add, {'id': 'u2'})\n"
                "assert store.execute(count).scalar() == 2\n"
                "store.close()\n"
            )
        )

    @requires_sql()
    @requires(Capability.MULTI_PROCESS)
    def test_a_forked_child_may_open_a_store_of_its_own(self, program: Program) -> None:
        run_to_its_end(
            program(
                FORK + "def work():\n"
                "    with core.open(config) as own:\n"
                "        own.execute(add, {'id': 'c'})\n"
                "store.execute(add, {'id': 'u1'})\n"
                "in_child(work)\n"
                "assert store.execute(count).scalar() == 2\n"
                "store.close()\n"
            )
        )
