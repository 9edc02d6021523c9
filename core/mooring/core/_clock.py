"""The clock and the time zone of this process, as an operator should know of them."""

import os
from datetime import UTC, datetime, timedelta
from typing import Final

from mooring.core._health import Check

# No clock that is right is before the release that looks at it.
_RELEASED: Final = datetime(2026, 11, 1, tzinfo=UTC)
# Two machines that keep time differ by less.
_LEEWAY: Final = timedelta(minutes=1)


def clock_check(newest: str) -> Check:
    """Look whether the clock is behind what was already written.

    Args:
        newest: When a migration was applied last, ISO 8601 in UTC; "" if never.
    """
    now = datetime.now(UTC)
    written = datetime.fromisoformat(newest) if newest else _RELEASED
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    told = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    if now + _LEEWAY < max(written, _RELEASED):
        since = f"a migration was applied at {newest}" if newest else "it is set wrong"
        return Check(
            name="clock",
            status="warning",
            detail=f"{told}, but {since}",
            fix="set the clock of this machine, or of the one that migrated, and keep"
            " it with NTP",
        )
    return Check(name="clock", status="ok", detail=told)


def time_zone_check() -> Check:
    """Look whether the zone that ``TZ`` names exists: libc takes UTC if not."""
    named = os.environ.get("TZ", "")
    offset = datetime.now().astimezone().strftime("UTC%z")
    if not named:
        return Check(name="time_zone", status="ok", detail=f"{offset}, as the machine")
    if not _exists(named.removeprefix(":")):
        return Check(
            name="time_zone",
            status="warning",
            detail=f"TZ={named} is no zone that this machine knows, so local times are"
            f" {offset}",
            fix="correct TZ, or install the zones (tzdata)",
        )
    return Check(name="time_zone", status="ok", detail=f"{offset}, TZ={named}")


def _exists(zone: str) -> bool:
    # A rule such as CET-1CEST holds its offset (POSIX, section 8.3), a name none but
    # those below Etc.
    if any(letter.isdigit() for letter in zone) and "/" not in zone:
        return True
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return os.path.isabs(zone) and os.path.isfile(zone)
    return True
