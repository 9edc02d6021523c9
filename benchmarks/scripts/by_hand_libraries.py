"""Floor: `by_hand` in a program that imports attrs and pluggy, as mooring does."""

import attrs  # noqa: F401 - its import is what is measured
import by_hand
import pluggy  # noqa: F401 - its import is what is measured


def main() -> None:
    """Do what the arguments say."""
    by_hand.main()


if __name__ == "__main__":
    main()
