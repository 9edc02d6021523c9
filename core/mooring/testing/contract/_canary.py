"""Looking for a secret in everything that an error, a log or a text shows."""

import json
import pickle
import traceback
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def shows(text: str, canary: str) -> bool:
    """Return whether *text* shows the secret, as it is or escaped in a usual way."""
    forms = {canary, repr(canary)[1:-1], json.dumps(canary)[1:-1], quote(canary)}
    forms |= {quote(canary, safe=""), quote_plus(canary)}
    forms.add(canary.encode("unicode_escape").decode())
    return any(form in text for form in forms)


def texts_of(error: BaseException) -> Iterator[str]:
    """Yield all that can be read from an error and from what hangs on it."""
    yield "".join(traceback.format_exception(error))
    for found in reachable(error):
        yield f"{found} {found!r} {found.args!r} {vars(found)!r}"
        # The problems of a ConfigError are values of their own.
        yield repr(getattr(found, "problems", ""))
    if error.__cause__ is None:
        yield str(pickle.dumps(error))


def reachable(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, its causes and contexts, suppressed ones too, and groups'."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
