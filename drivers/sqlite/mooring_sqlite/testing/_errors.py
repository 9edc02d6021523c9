"""The one error of this package."""

from mooring.core import MooringError


class ShimError(MooringError):
    """A disk for tests cannot be put under SQLite in this process."""
