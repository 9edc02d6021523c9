"""Ctrl-C while SQLite works: it is raised as itself, and nothing stays behind."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
from mooring import core
from mooring_sqlite import SqliteStore, _deadline

OpenSqlite = Callable[..., SqliteStore]

ADD_USER = "INSERT INTO users (id, email, role) VALUES ('u1', 'a@b.c', 'user')"
COUNT_USERS = "SELECT count(*) FROM users"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
ENDLESS = f"{NUMBERS} SELECT count(*) FROM n"
# Its first rows come at once, the next never.
STUCK = f"{NUMBERS} SELECT i FROM n WHERE i <= 10"

pytestmark = pytest.mark.timeout(60)
both = pytest.mark.parametrize("path", ["app.db", ":memory:"])


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise KeyboardInterrupt, as Ctrl-C does, after *seconds* of work.

    Of work, since the clock of real time is the one that ends a test that hangs.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def works(store: SqliteStore) -> bool:
    """Return whether the store has no row of the test, and takes one."""
    found = store.execute(COUNT_USERS).scalar()
    with store.transaction() as tx:
        tx.execute(ADD_USER)
    with store.read() as snapshot:
        return (found, snapshot.execute(COUNT_USERS).scalar()) == (0, 1)


@both
@pytest.mark.parametrize("limit", [0, 30], ids=["no limit", "a limit"])
@pytest.mark.parametrize("round_", range(3))
def test_an_interrupted_statement_raises_the_interrupt(
    open_sqlite: OpenSqlite, path: str, limit: float, round_: int
) -> None:
    store = open_sqlite(path, statement_timeout=limit)

    with pytest.raises(KeyboardInterrupt), interrupted_after(0.05 + round_ / 50):
        store.execute(ENDLESS)
    assert works(store)


@both
def test_an_interrupted_transaction_is_rolled_back(
    open_sqlite: OpenSqlite, path: str
) -> None:
    store = open_sqlite(path)

    def change() -> None:
        with interrupted_after(0.1), store.transaction() as tx:
            tx.execute(ADD_USER)
            tx.execute(ENDLESS)

    with pytest.raises(KeyboardInterrupt):
        change()
    assert works(store)


@both
@pytest.mark.parametrize("size", [1, 10, 1000])
def test_an_interrupted_stream_raises_the_interrupt(
    open_sqlite: OpenSqlite, path: str, size: int
) -> None:
    store = open_sqlite(path)
    seen: list[int] = []

    with (
        pytest.raises(KeyboardInterrupt),
        interrupted_after(0.1),
        store.read() as snapshot,
    ):
        seen.extend(row["i"] for row in snapshot.stream(STUCK, size=size))
    assert works(store)


def test_an_interrupt_does_not_stay_for_a_later_statement(
    open_sqlite: OpenSqlite,
) -> None:
    store = open_sqlite(statement_timeout=0.2)

    with pytest.raises(KeyboardInterrupt), interrupted_after(0.05):
        store.execute(ENDLESS)
    for _ in range(2):
        with pytest.raises(core.StatementTimeoutError):
            store.execute(ENDLESS)
    assert works(store)


def test_an_interrupt_amid_a_look_at_the_clock_is_raised(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looked at all the time, so that nearly every signal comes amid a look.
    monkeypatch.setattr(_deadline, "_TICK", 1)
    store = open_sqlite()

    for round_ in range(200):
        with pytest.raises(KeyboardInterrupt), interrupted_after(0.001 + round_ / 1e6):
            store.execute(ENDLESS)
    assert works(store)


@both
def test_an_interrupt_amid_a_commit_is_no_error_of_it(
    open_sqlite: OpenSqlite, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite looks once more when it is done, and would say that it was not."""
    armed = False

    def clock() -> float:
        if armed:
            raise KeyboardInterrupt
        return monotonic()

    monkeypatch.setattr(_deadline, "_TICK", 1)
    monkeypatch.setattr(_deadline, "monotonic", clock)
    store = open_sqlite(path)

    def change() -> None:
        nonlocal armed
        with store.transaction() as tx:
            tx.execute(ADD_USER)
            armed = True

    with pytest.raises(KeyboardInterrupt) as caught:
        change()
    armed = False

    assert caught.value.__context__ is None
    assert store.execute(COUNT_USERS).scalar() == 1
