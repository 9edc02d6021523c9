"""Calling a driver's hooks: what comes back is checked, and shows no secret."""

from collections.abc import Iterable
from typing import Any

from mooring.core._config import StoreConfig
from mooring.core._registry import Registry
from mooring.core._secret import mask, secrets_in
from mooring.core.errors import DriverProtocolError, MooringError, OpenError


def ask(registry: Registry, hook: str, owner: StoreConfig, **arguments: object) -> Any:
    """Call a hook of *owner*'s driver.

    Raises:
        MooringError: What the hook raised, an `OpenError` in place of any other
            exception. If its text held a secret of *owner*, that is masked and the
            cause is dropped.
    """
    name = owner.driver
    try:
        return registry.call(name, hook, **arguments)
    except Exception as error:
        text, leaks = _without_secrets(error, owner)
        if isinstance(error, MooringError) and not leaks:
            raise
        failure = OpenError(f"driver {name!r} failed in {hook}: {text}")
        if not leaks:
            raise failure from error
    # Outside the except block: the error that shows a secret must not be its context.
    raise failure


def broken_hook(
    name: str, hook: str, answer: object, expected: str
) -> DriverProtocolError:
    """Return the error for a hook that answered what the contract does not allow."""
    return DriverProtocolError(
        f"driver {name!r}: its {hook} returned {kind_of(answer)}, not {expected}",
        driver=name,
        hint="report this to the authors of the driver",
    )


def _without_secrets(error: BaseException, owner: StoreConfig) -> tuple[str, bool]:
    """Return the text of an error with secrets masked, and whether it shows any.

    Apart, since a traceback keeps the frame of `ask` with all that is in it.
    """
    secrets = list(secrets_in(owner))
    leaks = any(mask(text, secrets) != text for text in _texts_of(error))
    return mask(str(error), secrets) or type(error).__name__, leaks


def _texts_of(error: BaseException) -> Iterable[str]:
    """Yield the texts of an error and of all that hangs on it, groups and notes too."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield f"{found} {found.args!r} {vars(found)!r}"
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions


def kind_of(value: object) -> str:
    """Return the name of a value's type, for messages."""
    return "None" if value is None else type(value).__name__
