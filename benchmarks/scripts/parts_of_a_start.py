"""The start of `with_mooring` or `by_hand` in parts: prints when each was done.

``parts_of_a_start.py SCRIPT MODULES DATABASE KEY FOLDER``: MODULES are those of mooring
that the script imports, with commas between; each stands behind what it needs itself.
The times are those of `time.monotonic`, which is the same in all processes.
"""

import sys
from importlib import import_module
from time import monotonic


def main() -> None:
    """Do what the arguments say, and print five times."""
    times = [monotonic()]
    script, modules = sys.argv[1:3]
    sys.argv[1:3] = []
    import_module("sqlite3")
    if modules:
        import_module("attrs")
        import_module("pluggy")
    times.append(monotonic())
    for name in filter(None, modules.split(",")):
        import_module(name)
    times.append(monotonic())
    if modules:
        import_module("mooring.core").default_registry().info("sqlite")
    times.append(monotonic())
    import_module(script).main()
    times.append(monotonic())
    sys.stdout.write(" ".join(map(str, times)))


if __name__ == "__main__":
    main()
