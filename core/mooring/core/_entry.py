"""What is known of a driver without asking it."""

from typing import Literal

import attrs

DriverState = Literal[
    "available", "loaded", "disabled", "conflict", "broken", "incompatible"
]


@attrs.frozen(kw_only=True)
class DriverEntry:
    """A registered driver as seen from outside; nothing was imported to make it.

    Attributes:
        name: Its entry point's name.
        distribution: Name of the distribution that brings it; "" if the program
            registered it itself. Several names, joined by ", ", in a conflict.
        version: That distribution's version.
        target: The entry point's value, such as ``"package.module"``.
        state: ``available`` (not tried yet), ``loaded``, ``disabled`` (by the
            allow-list), ``conflict`` (two distributions claim the name), ``broken``
            (loading failed) or ``incompatible`` (other API version).
        reason: Why it cannot be used, "" if it can.
    """

    name: str
    distribution: str
    version: str
    target: str
    state: DriverState
    reason: str = ""
