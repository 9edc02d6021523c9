"""Two dialects that differ in everything, for the tests of the translator."""

from datetime import datetime
from typing import Any

import pytest
from mooring.core._dialect import Dialect
from mooring.core._values import Json

_COMMON: dict[str, Any] = {
    "max_parameters": 8,
    "adapters": {datetime: datetime.isoformat, Json: Json.dumps},
    "refuse": lambda _: None,
}
_DIALECTS = {
    "qmark": Dialect(
        placeholder="?",
        nested_comments=False,
        dollar_quotes=False,
        escape_strings=False,
        bracket_identifiers=True,
        backtick_identifiers=True,
        array_slices=False,
        in_nothing="IN ()",
        not_in_nothing="NOT IN ()",
        **_COMMON,
    ),
    "format": Dialect(
        placeholder="%s",
        nested_comments=True,
        dollar_quotes=True,
        escape_strings=True,
        bracket_identifiers=False,
        backtick_identifiers=False,
        array_slices=True,
        in_nothing="= ANY('{}')",
        not_in_nothing="<> ALL('{}')",
        **_COMMON,
    ),
}


@pytest.fixture(scope="session")
def qmark() -> Dialect:
    """Return the one that writes ?, as SQLite's does."""
    return _DIALECTS["qmark"]


@pytest.fixture(scope="session")
def percent() -> Dialect:
    """Return the one that writes %s, as PostgreSQL's does."""
    return _DIALECTS["format"]


@pytest.fixture(scope="module", params=list(_DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Return each of them, or the one whose name the test gives (indirect)."""
    return _DIALECTS[request.param]
