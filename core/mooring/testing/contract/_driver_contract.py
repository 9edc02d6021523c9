"""The whole contract, as one class to derive from."""

from collections.abc import Mapping
from types import FunctionType
from typing import Any, ClassVar

import pytest

from mooring.testing.contract._capabilities import of_sql
from mooring.testing.contract._concurrency import ConcurrencyContract
from mooring.testing.contract._config import ConfigContract
from mooring.testing.contract._contract_fixtures import ContractFixtures
from mooring.testing.contract._control_statements import ControlStatementsContract
from mooring.testing.contract._crash import CrashContract
from mooring.testing.contract._deadlines import DeadlinesContract
from mooring.testing.contract._errors import ErrorsContract
from mooring.testing.contract._failed_scope import FailedScopeContract
from mooring.testing.contract._health import HealthContract
from mooring.testing.contract._histories import HistoriesContract
from mooring.testing.contract._identity import IdentityContract
from mooring.testing.contract._isolation import IsolationContract
from mooring.testing.contract._lifecycle import LifecycleContract
from mooring.testing.contract._migration_failures import MigrationFailuresContract
from mooring.testing.contract._migrations import MigrationsContract
from mooring.testing.contract._migrator import MigratorContract
from mooring.testing.contract._nesting import NestingContract
from mooring.testing.contract._parameters import ParametersContract
from mooring.testing.contract._pickling import PicklingContract
from mooring.testing.contract._python_migrations import PythonMigrationsContract
from mooring.testing.contract._results import ResultsContract
from mooring.testing.contract._rows_into_classes import RowsIntoClassesContract
from mooring.testing.contract._run import RunContract
from mooring.testing.contract._savepoints import SavepointsContract
from mooring.testing.contract._schema import SchemaContract
from mooring.testing.contract._secrets import SecretsContract
from mooring.testing.contract._snapshots import SnapshotsContract
from mooring.testing.contract._streams import StreamsContract
from mooring.testing.contract._traces import TracesContract
from mooring.testing.contract._unsupported import UnsupportedContract
from mooring.testing.contract._values import ValuesContract

# A store that speaks no SQL has only those that are not marked: here it is decided.
GROUPS: tuple[type, ...] = (
    IdentityContract,
    ConfigContract,
    SecretsContract,
    LifecycleContract,
    HealthContract,
    TracesContract,
    PicklingContract,
    of_sql(SchemaContract),
    of_sql(MigratorContract),
    of_sql(MigrationFailuresContract),
    of_sql(ErrorsContract),
    of_sql(ParametersContract),
    of_sql(ValuesContract),
    of_sql(ResultsContract),
    of_sql(RowsIntoClassesContract),
    of_sql(ControlStatementsContract),
    of_sql(FailedScopeContract),
    of_sql(SavepointsContract),
    of_sql(NestingContract),
    of_sql(SnapshotsContract),
    of_sql(StreamsContract),
    of_sql(IsolationContract),
    of_sql(RunContract),
    of_sql(DeadlinesContract),
    of_sql(ConcurrencyContract),
    of_sql(UnsupportedContract),
    of_sql(MigrationsContract),
    of_sql(PythonMigrationsContract),
    of_sql(CrashContract),
    of_sql(HistoriesContract),
)


# Reversed: pytest runs the tests of the last base first, and what is most basic is to
# fail first.
class DriverContract(ContractFixtures, *reversed(GROUPS)):  # type: ignore[misc]  # a list of bases
    """What every driver must do: derive from it, and give it a ``config``.

    ::

        class TestMyDriver(DriverContract):
            @pytest.fixture
            def config(self, tmp_path):
                return {"driver": "mydriver", "path": str(tmp_path / "data")}

    The stores of ``config`` are empty at the beginning of each test. Tests of a
    capability that the store does not declare are skipped, with it as the reason; so
    are those of SQL, where the driver declares that its stores speak none.

    Attributes:
        known_failures: Tests that the driver does not pass yet, each with the reason.
            They must fail: one that passes fails the run.

    Raises:
        TypeError: A class overrides a test, or names one that there is not.
    """

    known_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Hold the class to the contract: nothing of it may be changed in passing."""
        super().__init_subclass__(**options)
        tests = {name for name in dir(DriverContract) if name.startswith("test_")}
        overridden = sorted(tests & vars(cls).keys())
        if overridden:
            raise TypeError(
                f"{cls.__name__} overrides {', '.join(overridden)}: name a test that"
                " the driver cannot pass yet in known_failures"
            )
        unknown = sorted(cls.known_failures.keys() - tests)
        if unknown:
            raise TypeError(
                f"{cls.__name__}.known_failures names {', '.join(unknown)}: the"
                " contract has no such test"
            )
        for name, reason in cls.known_failures.items():
            # A copy: marked in place, it would be expected to fail on every driver.
            test = _copy(getattr(cls, name))
            setattr(cls, name, pytest.mark.xfail(reason=reason, strict=True)(test))


def _copy(function: Any) -> FunctionType:
    copied = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__dict__.update(function.__dict__)
    copied.__dict__["pytestmark"] = list(getattr(function, "pytestmark", ()))
    copied.__qualname__ = function.__qualname__
    return copied
