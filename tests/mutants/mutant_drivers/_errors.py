"""Errors arrive as ours, of the right class, with cause and hint."""

from typing import Any

from mooring import core

from mutant_drivers._driver import Session, Store
from mutant_drivers._mutant import caught_by


class _Changes(Session):
    """Change each error before it is raised."""

    def _error(self, cause: Exception, text: str, **options: bool) -> core.StoreError:
        return self.changed(super()._error(cause, text, **options))

    def changed(self, error: core.StoreError) -> core.StoreError:
        raise NotImplementedError  # each mutant says how


@caught_by("test_what_the_engine_refuses_is_typed_and_keeps_its_cause")
class ViolationsAreMistakes(_Changes):
    """What a constraint refuses is told as a mistake of the statement."""

    def changed(self, error: core.StoreError) -> core.StoreError:
        if isinstance(error, core.IntegrityError):
            return core.StatementError(error.message)
        return error


@caught_by(
    "test_what_the_engine_refuses_is_typed_and_keeps_its_cause",
    "test_malformed_json_is_a_check_violation_when_updated_too",
)
class MalformedJsonIsAMistake(_Changes):
    """JSON that a CHECK finds malformed is told as a mistake of the statement."""

    def changed(self, error: core.StoreError) -> core.StoreError:
        if error.message == "malformed JSON":
            return core.StatementError(error.message)
        return error


@caught_by("test_what_the_engine_refuses_is_typed_and_keeps_its_cause")
class LetsTheEngineSErrorsThrough(Session):
    """The errors of the client library arrive as they are."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        try:
            return super().run(statement, text, values)
        except core.IntegrityError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None


@caught_by("test_what_the_engine_refuses_is_typed_and_keeps_its_cause")
class DropsTheCause(Session):
    """The engine's own error is not kept as the cause."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        try:
            return super().run(statement, text, values)
        except core.StoreError as error:
            error.__cause__ = None
            raise error from None


@caught_by("test_what_the_engine_refuses_is_typed_and_keeps_its_cause")
class SaysThatARetryHelps(_Changes):
    """Every error says that the same call may succeed later."""

    def changed(self, error: core.StoreError) -> core.StoreError:
        error.retryable = True  # type: ignore[misc]  # that it is set is the defect
        return error


@caught_by("test_a_write_in_a_snapshot_is_refused_and_changes_nothing")
class GivesNoHint(_Changes):
    """An error does not say what to do next."""

    def changed(self, error: core.StoreError) -> core.StoreError:
        error.hint = None
        return error


class _ReadOnly(core.ReadOnlyError):
    """A class of the driver's own, which is made of a message alone."""

    def __reduce__(self) -> tuple[Any, ...]:
        return core.ReadOnlyError, (self.message,)


@caught_by("test_an_error_keeps_its_hint_where_it_is_pickled")
class LosesTheHintWhenPickled(_Changes):
    """An error that goes to another process arrives there without its hint."""

    def changed(self, error: core.StoreError) -> core.StoreError:
        if isinstance(error, core.ReadOnlyError):
            return _ReadOnly(error.message, hint=error.hint)
        return error


@caught_by("test_an_error_of_one_statement_does_not_harm_the_next")
class GivesUpAfterAnError(Store):
    """After the error of one statement the store refuses all further ones."""

    broken = False

    def _execute(self, statement: Any, text: str, values: Any) -> core.Result:
        if self.broken:
            raise core.ConnectionLostError("the connection is broken", hint="reopen")
        try:
            return super()._execute(statement, text, values)
        except core.StatementError:
            self.broken = True
            raise
