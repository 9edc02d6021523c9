"""A secret never leaves, and a configuration is what was written."""

import logging
from typing import Any

import attrs
from mooring import core
from mooring.core import hookimpl, option

from mutant_drivers._driver import Config, Driver, Session, Store
from mutant_drivers._mutant import caught_by


@caught_by(
    "test_a_store_that_opens_or_fails_does_not_show_it",
    "test_a_store_at_work_does_not_show_those_that_it_was_opened_with",
)
class DropsThePasswordIntoAnError(Session):
    """The error of a statement holds the password."""

    def _error(self, cause: Exception, text: str, **options: bool) -> core.StoreError:
        error = super()._error(cause, text, **options)
        error.message += f" (password={self.store.config.password.reveal()})"
        return error


@caught_by("test_repr_names_the_driver_and_the_state_and_no_secret")
class ShowsThePasswordInItsRepr(Store):
    """The repr of a store holds the password."""

    def _state(self) -> str:
        return f"{super()._state()} as {self.config.password.reveal()}"


@caught_by("test_a_store_that_opens_or_fails_does_not_show_it")
class LogsThePassword(Driver):
    """The password stands in the log, at the lowest level."""

    @hookimpl
    def open_store(self, config: Any) -> Store:
        logging.getLogger(__name__).debug("open with %s", config.password.reveal())
        return super().open_store(config)


@caught_by("test_what_is_called_a_secret_is_one")
@attrs.frozen(kw_only=True, eq=False, repr=False)
class PasswordIsAString(Config):
    """An option that is a secret is declared as a plain string."""

    token: str = option("", "A secret of no use.")


@caught_by("test_a_configuration_does_not_show_it")
@attrs.frozen(kw_only=True, eq=False, repr=False)
class ShowsThePasswordInTheConfiguration(Config):
    """The repr of a configuration shows the password."""

    def __repr__(self) -> str:
        return f"Config(path={self.path!r}, password={self.password.reveal()!r})"
