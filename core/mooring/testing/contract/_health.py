"""A health check answers in time, whatever goes on, and never writes."""

import threading
from time import monotonic
from typing import Any

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires, requires_sql
from mooring.testing.contract._fixture_types import (
    Footprint,
    Holds,
    Loop,
    OpenStore,
    Program,
    Spawn,
    Write,
)
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import ADD

either = pytest.mark.parametrize("deep", [False, True], ids=["shallow", "deep"])


class HealthContract:
    """A health check answers in time, whatever goes on, and never writes."""

    @either
    def test_a_store_that_is_well_says_so(
        self, store: core.Store, *, deep: bool, speaks_sql: bool
    ) -> None:
        health = core.health_check(store, deep=deep)

        assert health.status == "ok", health
        assert health.ok
        assert 0 <= health.latency < PATIENCE
        assert health.checks
        # A deep one may advise, such as to a newer version of the engine.
        advice = {"warning"} if deep else set()
        assert {check.status for check in health.checks} - advice == {"ok"}
        # A store without SQL has none, and does not claim to.
        assert ("migrations" in {check.name for check in health.checks}) == speaks_sql

    def test_the_status_is_what_the_checks_add_up_to(self) -> None:
        def health(*statuses: Any) -> str:
            checks = tuple(core.Check(name="x", status=status) for status in statuses)
            return core.Health.of(checks, latency=0.0).status

        assert health("ok", "ok") == "ok"
        assert health("ok", "unknown") == "unknown"
        assert health("unknown", "failed", "ok") == "failed"
        assert health() == "unknown"

    def test_a_deep_check_looks_at_all_that_an_ordinary_one_does(
        self, store: core.SqlStore
    ) -> None:
        ordinary = {check.name for check in core.health_check(store).checks}
        deep = {check.name for check in core.health_check(store, deep=True).checks}

        assert ordinary <= deep

    @either
    def test_each_check_has_a_name_of_its_own_that_programs_can_use(
        self, store: core.SqlStore, *, deep: bool
    ) -> None:
        names = [check.name for check in core.health_check(store, deep=deep).checks]

        assert len(set(names)) == len(names), names
        assert all(name.isidentifier() and name.islower() for name in names), names

    @either
    def test_what_is_wrong_comes_with_what_to_do_about_it(
        self, store: core.SqlStore, *, deep: bool
    ) -> None:
        well = core.health_check(store, deep=deep)
        store.close()
        closed = core.health_check(store, deep=deep)

        for check in (*well.checks, *closed.checks):
            assert check.status not in ("warning", "failed") or check.fix, check

    def test_reading_all_of_the_data_finds_nothing_in_a_store_that_is_well(
        self, store: core.SqlStore
    ) -> None:
        store.execute(ADD, {"id": "u1"})
        health = core.health_check(store, integrity=True, timeout=PATIENCE)

        assert health.status != "failed", health
        assert "integrity" in {check.name for check in health.checks}

    @either
    def test_a_closed_store_has_failed(self, store: core.Store, *, deep: bool) -> None:
        store.close()

        health = core.health_check(store, deep=deep)

        assert health.status == "failed"
        assert not health.ok
        assert "closed" in " ".join(check.detail for check in health.checks)

    @requires_sql()
    def test_a_store_that_is_not_migrated_has_failed(
        self, config: dict[str, object]
    ) -> None:
        with core.open(config, migrate="skip") as store:
            health = core.health_check(store)

        failed = {check.name for check in health.checks if check.status == "failed"}
        assert health.status == "failed"
        assert failed == {"migrations"}

    @requires_sql()
    @either
    @pytest.mark.parametrize("kind", ["transaction", "read"])
    def test_it_may_be_asked_beside_an_open_scope(
        self, store: core.SqlStore, kind: str, *, deep: bool
    ) -> None:
        with getattr(store, kind)() as scope:
            scope.execute("SELECT count(*) FROM users")
            health = core.health_check(store, deep=deep, timeout=0.2)
            scope.execute("SELECT count(*) FROM users")

        assert health.status in ("ok", "unknown")
        assert health.latency < PATIENCE
        assert core.health_check(store).ok

    @requires_sql()
    @requires(Capability.CONCURRENT_SNAPSHOTS)
    @either
    def test_it_needs_no_lock_that_a_writer_holds(
        self, store: core.SqlStore, *, deep: bool
    ) -> None:
        with store.transaction() as tx:
            tx.execute(ADD, {"id": "u1"})
            health = core.health_check(store, deep=deep, timeout=5)

        assert health.ok, health

    @requires_sql()
    def test_it_answers_in_time_while_another_thread_holds_what_it_needs(
        self, open_store: OpenStore, spawn: Spawn
    ) -> None:
        store = open_store(max_open_conns=1)
        entered, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.transaction() as tx:
                tx.execute(ADD, {"id": "u1"})
                entered.set()
                done.wait(PATIENCE)

        held = spawn(hold)
        assert entered.wait(PATIENCE)
        started = monotonic()
        health = core.health_check(store, timeout=0.3)
        took = monotonic() - started
        done.set()
        held.result(PATIENCE)

        # Long before the wait for a connection would end.
        assert took < 4
        assert health.status == "unknown"
        assert "unknown" in {check.status for check in health.checks}
        assert core.health_check(store).ok

    @requires_sql()
    @requires(Capability.MULTI_PROCESS)
    def test_it_answers_in_time_while_another_process_holds_the_lock_to_write(
        self, store: core.SqlStore, program: Program
    ) -> None:
        process = program(
            "with core.open(config) as store, store.transaction() as tx:\n"
            f"    tx.execute({ADD!r}, {{'id': 'u1'}})\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.readline()\n"
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n", process.communicate(
            timeout=PATIENCE
        )
        started = monotonic()
        health = core.health_check(store, timeout=5)
        took = monotonic() - started
        process.communicate("\n", timeout=PATIENCE)

        assert took < 5
        assert health.ok, health
        assert store.execute("SELECT count(*) FROM users").scalar() == 1

    @either
    def test_it_never_writes(
        self, store: core.Store, footprint: Footprint, write: Write, *, deep: bool
    ) -> None:
        write(store, "u1")
        before = footprint(store)
        for _ in range(3):
            assert core.health_check(store, deep=deep).ok

        assert footprint(store) == before

    def test_a_write_is_seen_by_what_shows_that_it_never_writes(
        self, store: core.Store, footprint: Footprint, write: Write
    ) -> None:
        before = footprint(store)
        write(store, "u1")
        changed = footprint(store)

        assert before != changed
        if isinstance(store, core.SqlStore):
            store.execute("CREATE TABLE made (id BIGINT)")
            assert footprint(store) != changed

    def test_it_leaves_nothing_behind(
        self, open_store: OpenStore, write: Write, holds: Holds
    ) -> None:
        store = open_store(max_open_conns=1)
        for deep in (False, True):
            core.health_check(store, deep=deep)
        if isinstance(store, core.SqlStore):
            with store.transaction() as tx:
                tx.execute(ADD, {"id": "u2"})
        write(store, "u1")

        assert holds(store, "u1")

    def test_it_may_be_asked_from_many_threads(
        self, store: core.Store, spawn: Spawn
    ) -> None:
        asked = [spawn(core.health_check, store) for _ in range(8)]

        assert {future.result(PATIENCE).status for future in asked} <= {"ok", "unknown"}
        assert core.health_check(store).ok

    @requires_sql()
    @either
    @pytest.mark.parametrize("lifetime", [0, 0.01], ids=["kept", "often replaced"])
    def test_it_disturbs_nobody_who_reads_or_commits_meanwhile(
        self,
        open_store: OpenStore,
        spawn: Spawn,
        loop: Loop,
        lifetime: float,
        *,
        deep: bool,
    ) -> None:
        tenths, _ = loop(3, 100)
        store = open_store(conn_max_lifetime=lifetime, pool_timeout=PATIENCE)
        deadline = monotonic() + tenths / 10

        def write(worker: int) -> int:
            done = 0
            while monotonic() < deadline:
                with store.transaction() as tx:
                    tx.execute(ADD, {"id": f"{worker}-{done}"})
                done += 1
            return done

        def read() -> None:
            while monotonic() < deadline:
                with store.read() as snapshot:
                    one = snapshot.execute("SELECT count(*) FROM users").scalar()
                    assert (
                        snapshot.execute("SELECT count(*) FROM users").scalar() == one
                    )
                store.execute("SELECT id FROM users WHERE id = '0-0'")

        writers = [spawn(write, worker) for worker in range(2)]
        readers = [spawn(read) for _ in range(3)]
        while monotonic() < deadline:
            health = core.health_check(store, deep=deep)
            assert health.status != "failed", health
        for future in readers:
            future.result(PATIENCE)
        added = sum(future.result(PATIENCE) for future in writers)

        assert store.execute("SELECT count(*) FROM users").scalar() == added
        assert core.health_check(store).ok
