"""Threads that end with the test that starts them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from mooring.testing.contract._patience import PATIENCE


@contextmanager
def threads() -> Iterator[Callable[..., "Future[Any]"]]:
    """Yield a function that calls another in a thread of its own.

    Raises:
        AssertionError: A thread outlives the block.
    """
    started: list[threading.Thread] = []

    def spawn(
        fn: Callable[..., Any], *args: object, name: str | None = None
    ) -> "Future[Any]":
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args))
            except BaseException as error:  # noqa: BLE001 - who asks for it gets it
                future.set_exception(error)

        started.append(threading.Thread(target=work, name=name, daemon=True))
        started[-1].start()
        return future

    yield spawn
    for thread in started:
        thread.join(PATIENCE)

    assert not [thread.name for thread in started if thread.is_alive()]
