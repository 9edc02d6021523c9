"""``python -m mooring.cli``: the same as the ``mooring`` command."""

from mooring.cli import main

main()
