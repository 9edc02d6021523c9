"""The ``mooring`` command."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and exit with its code."""
    try:
        try:
            from mooring.cli._app import run
        except ModuleNotFoundError as error:
            if error.name != "click":
                raise
            sys.stderr.write(
                "error: the command line needs the package click\n"
                "hint: install click and rich: they are the extra mooring[cli]\n"
            )
            sys.exit(1)
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
