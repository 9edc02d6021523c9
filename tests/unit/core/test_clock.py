"""What a deep check says of the clock and the time zone."""

import time
from collections.abc import Iterator

import pytest
from mooring.core._clock import clock_check, time_zone_check


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Set ``TZ`` for the test."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("newest", ["", "2026-11-02T10:00:00Z", "2026-11-02T10:00:00"])
def test_a_clock_behind_nothing_that_was_written_is_right(newest: str) -> None:
    assert clock_check(newest).status == "ok"


def test_a_clock_behind_a_migration_is_told() -> None:
    found = clock_check("2999-01-01T00:00:00Z")

    assert found.status == "warning"
    assert "a migration was applied at 2999" in found.detail
    assert "NTP" in found.fix


@pytest.mark.parametrize(
    ("named", "status", "says"),
    [
        ("", "ok", "as the machine"),
        ("UTC", "ok", "TZ=UTC"),
        (":Europe/Berlin", "ok", "TZ=:Europe/Berlin"),
        ("Etc/GMT+3", "ok", "UTC-0300"),
        ("CET-1CEST", "ok", "UTC+0100"),
        ("Europe/Berlim", "warning", "is no zone that this machine knows"),
        ("Nowhere", "warning", "UTC+0000"),
        ("../etc/passwd", "warning", "is no zone"),
    ],
)
def test_a_zone_that_does_not_exist_is_told(
    zone: pytest.MonkeyPatch, named: str, status: str, says: str
) -> None:
    zone.setenv("TZ", named)
    time.tzset()
    found = time_zone_check()

    assert found.status == status
    assert says in found.detail
    assert bool(found.fix) == (status != "ok")
