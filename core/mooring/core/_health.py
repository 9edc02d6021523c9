"""How a store is."""

from typing import Literal

import attrs

HealthStatus = Literal["ok", "failed", "unknown"]


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Stable name, such as ``"foreign_keys"``.
        status: ``ok``, ``failed``, or ``unknown`` where it could not be looked at.
        detail: What was found, in words; never a secret.
    """

    name: str
    status: HealthStatus
    detail: str = ""


@attrs.frozen(kw_only=True)
class Health:
    """The answer of a health check.

    Attributes:
        status: ``failed`` if any check failed, else ``unknown`` if any is, else ``ok``.
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
