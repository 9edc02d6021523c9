"""How a store is."""

from collections.abc import Callable
from typing import Literal

import attrs

HealthStatus = Literal["ok", "failed", "unknown"]
CheckStatus = Literal["ok", "warning", "failed", "unknown"]

# What is looked at, how many parts of it are done, and how many there are.
CheckProgress = Callable[[str, int, int], object]


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Stable name in ``snake_case``, such as ``"foreign_keys"``; a program may
            rely on it.
        status: ``ok``; ``warning`` for what works, but should be changed; ``failed``;
            or ``unknown`` where it could not be looked at.
        detail: What was found, in words; never a secret.
        fix: What to do about it; "" where there is nothing to do.
    """

    name: str
    status: CheckStatus
    detail: str = ""
    fix: str = ""


@attrs.frozen(kw_only=True)
class Health:
    """The answer of a health check.

    Attributes:
        status: ``failed`` if any check failed, else ``unknown`` if any is, else ``ok``:
            a warning does not change it.
        latency: Seconds that the check took.
        checks: What was looked at, in order.
    """

    status: HealthStatus
    latency: float
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is known to be well."""
        return self.status == "ok"

    @classmethod
    def of(cls, checks: "tuple[Check, ...]", *, latency: float) -> "Health":
        """Return the health that *checks* add up to."""
        found = {check.status for check in checks}
        status: HealthStatus = "ok"
        if "failed" in found:
            status = "failed"
        elif "unknown" in found or not checks:
            status = "unknown"
        return cls(status=status, latency=latency, checks=checks)
