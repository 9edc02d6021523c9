"""``mooring drivers`` on what is installed, broken things included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """Install a driver whose import fails; return the environment that has it."""
    site = tmp_path / "site"
    info = site / "shaky-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shaky\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[mooring.drivers]\nshaky = shaky\n")
    (site / "shaky.py").write_text("import no_such_client_library\n")
    return {"PYTHONPATH": str(site)}


def test_each_driver_is_listed_with_who_brings_it(run: Run) -> None:
    done = run("drivers")
    assert done.code == 0
    head, *rows = done.out.splitlines()
    assert head.split() == ["NAME", "DISTRIBUTION", "VERSION", "STATE", "REASON"]
    assert any(row.split()[0] == "sqlite" and "available" in row for row in rows)


def test_listing_imports_no_driver(run: Run, broken: dict[str, str]) -> None:
    done = run("drivers", "--json", env=broken)
    states = {one["name"]: one["state"] for one in done.document["drivers"]}
    assert states["shaky"] == states["sqlite"] == "available"


def test_a_broken_driver_is_listed_with_its_reason_and_harms_no_other(
    run: Run, broken: dict[str, str]
) -> None:
    done = run("drivers", "--load", "--json", env=broken)
    assert done.code == 0
    found = {one["name"]: one for one in done.document["drivers"]}
    assert found["shaky"]["state"] == "broken"
    assert "no_such_client_library" in found["shaky"]["reason"]
    assert (found["shaky"]["distribution"], found["shaky"]["version"]) == (
        "shaky",
        "2.0",
    )
    assert found["sqlite"]["state"] == "loaded"


def test_naming_a_broken_driver_exits_4(run: Run, broken: dict[str, str]) -> None:
    done = run("health", "shaky:x", "--json", env=broken)
    assert done.code == 4
    assert done.document["error"]["code"] == "driver_load"


def test_a_driver_that_is_not_allowed_is_listed_as_disabled(run: Run) -> None:
    done = run("drivers", "--json", env={"MOORING_DRIVERS": ""})
    states = {one["name"]: one["state"] for one in done.document["drivers"]}
    assert states["sqlite"] == "disabled"
