"""What core does with a driver, done with this one."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring import core
from mooring_sqlite import SqliteConfig


def run(program: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_mapping_instance_and_url_give_the_same() -> None:
    instance = SqliteConfig(path="a b.db")
    forms = ({"driver": "sqlite", "path": "a b.db"}, instance, "sqlite:a%20b.db")

    for form in forms:
        found = core.configure(form)
        assert found == instance
        assert type(found) is SqliteConfig


@given(data=st.data())
def test_the_fast_door_and_the_slow_door_of_sqlite_agree(
    data: st.DataObject,
    assert_doors_agree: Callable[[type[core.StoreConfig], st.DataObject], None],
) -> None:
    assert_doors_agree(SqliteConfig, data)


def test_a_good_configuration_imports_no_cattrs() -> None:
    program = """
        import sys
        from mooring import core
        core.configure({"driver": "sqlite", "path": "a.db", "pool_timeout": 5})
        core.configure("sqlite:a.db")
        core.open({"driver": "sqlite", "path": ":memory:"}).close()
        print("attrs" in sys.modules, "cattrs" in sys.modules)
        """

    assert run(program) == ["True False"]


def test_listing_says_who_brings_the_driver_and_does_not_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MOORING_DRIVERS", raising=False)
    program = """
        import sys
        from mooring import core
        entry, = (entry for entry in core.drivers() if entry.name == "sqlite")
        print(entry.distribution.replace("-", "_"), entry.version, entry.state)
        print("mooring_sqlite" in sys.modules)
        """

    assert run(program) == [
        f"mooring_sqlite {version('mooring-sqlite')} available",
        "False",
    ]
