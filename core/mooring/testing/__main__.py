"""``python -m mooring.testing NAME``: the same as ``mooring driver check NAME``."""

import sys

from mooring.cli import main

sys.argv[1:1] = ["driver", "check"]
main()
