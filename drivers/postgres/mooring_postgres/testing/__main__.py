"""``python -m mooring_postgres.testing COMMAND``: run it beside a server of its own."""

import sys

from mooring_postgres.testing._run import main

sys.exit(main(sys.argv[1:]))
