"""How often a test that loops does so, and the randomness that it draws from."""

import os
from collections.abc import Callable
from random import Random, SystemRandom


def rounds(
    short: int, full: int, report: Callable[[str], object]
) -> tuple[int, Random]:
    """Return rounds or seconds, and seeded randomness; report what can be repeated.

    Args:
        short: The count of an ordinary run.
        full: The count where ``MOORING_SOAK=1`` asks for it.
        report: Called with the count and the seed. ``MOORING_SEED`` takes a seed that a
            failed run reported.
    """
    seed = int(os.environ.get("MOORING_SEED") or SystemRandom().randrange(2**32))
    count = full if os.environ.get("MOORING_SOAK") == "1" else short
    report(f"count {count}, MOORING_SEED={seed}")
    return count, Random(seed)  # noqa: S311 - to be repeated, not to be secret
