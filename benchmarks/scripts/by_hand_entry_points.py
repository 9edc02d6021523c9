"""Floor: `by_hand` with attrs, pluggy, and one scan for installed drivers.

The scan is the standard library's, as a person would write it.
"""

from importlib.metadata import entry_points

import attrs  # noqa: F401 - its import is what is measured
import by_hand
import pluggy  # noqa: F401 - its import is what is measured


def main() -> None:
    """Do what the arguments say."""
    if "sqlite" not in entry_points(group="mooring.drivers").names:
        raise SystemExit("no sqlite driver is installed")
    by_hand.main()


if __name__ == "__main__":
    main()
