"""What the tests of several folders share: loops, child processes, opened stores."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from mooring import core, migrate
from mooring.testing.contract._migration_file import write_migration
from mooring.testing.contract._rounds import rounds
from mooring.testing.contract._threads import threads

if TYPE_CHECKING:
    from mooring_sqlite import SqliteStore

# `make soak` sets it: loops run at their full counts and print their figures.
FULL = os.environ.get("MOORING_SOAK") == "1"

# No deadline: how long an example takes says more about the machine than about us.
settings.register_profile(
    "mooring",
    deadline=None,
    derandomize=False,
    max_examples=2000 if FULL else 60,
    print_blob=True,
)
settings.load_profile("mooring")

# Run first by a program that becomes another user, who may not reach the interpreter
# or these packages: all that is imported later, on a way to an error too, is here. The
# driver comes from the folder in argv[1], as its migrations are read later.
BECOME_NOBODY = """
import contextlib, importlib, os, pkgutil, pwd, sys
sys.path.insert(0, sys.argv.pop(1))
import mooring.core, mooring.migrate, mooring_sqlite
for package in (mooring.core, mooring.migrate, mooring_sqlite):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
with contextlib.suppress(mooring.core.MooringError):
    mooring.core.open({"driver": "no such driver"})
for path in (":memory:", "/", "/dev/null"):
    with contextlib.suppress(mooring.core.MooringError):
        mooring.core.open({"driver": "sqlite", "path": path}).close()

def become_nobody():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    os.chdir("/")
"""


# What some tests need and not every machine has: by the name of their mark, how to say
# what is missing (None if nothing is), and what to do about it.
Missing = Callable[[], str | None]


def _pgbouncer() -> str | None:
    # Not above: the tests of core run where there is no driver.
    from mooring_postgres.testing import find_pgbouncer

    if find_pgbouncer():
        return None
    return (
        "tests that need pgbouncer; install the system's package, or set"
        " MOORING_TEST_PGBOUNCER to the path of the program"
    )


def _sqlite_shim() -> str | None:
    from mooring_sqlite.testing import shim_problem

    problem = shim_problem()
    return problem and (
        f"tests that put a failing disk under SQLite: {problem}; use a Python whose"
        " sqlite3 is linked to a shared libsqlite3"
    )


def _small_disk() -> str | None:
    mount = ("mount", "-t", "tmpfs", "none", tempfile.gettempdir())
    try:
        subprocess.run([*APART, *mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "tests that mount a small disk; run them as root, on Linux"
    return None


NEEDS: dict[str, Missing] = {
    "needs_pgbouncer": _pgbouncer,
    "needs_sqlite_shim": _sqlite_shim,
    "needs_small_disk": _small_disk,
}
# Runs a command in a mount namespace of its own: what it mounts, nobody else sees, and
# nothing of it stays behind, not even if it is killed.
APART = ("unshare", "--mount", "--propagation", "private")
# By what is missing, the tests that were left out.
NOT_RUN = pytest.StashKey[dict[str, list[str]]]()


def pytest_configure() -> None:
    """Let Ctrl-C work, which tests send to themselves and to what they start.

    A shell without job control has it ignored in what it starts in its background.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)  # of those that -k and -m leave
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the tests that need what is not there; say so at the end.

    They are not skipped: a skip looks like a pass.
    """
    not_run = config.stash.setdefault(NOT_RUN, {})
    for mark, missing in NEEDS.items():
        needy = [item for item in items if item.get_closest_marker(mark)]
        what = missing() if needy else None
        if what:
            config.hook.pytest_deselected(items=needy)
            items[:] = [item for item in items if item not in needy]
            not_run[what] = [item.nodeid for item in needy]


def pytest_collection_finish() -> None:
    """Spare the garbage collector the tests themselves, thousands of objects.

    Many tests collect, to see what a store leaves behind.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist, tell the process that prints what was left out."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["not_run"] = session.config.stash.get(NOT_RUN, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take from a worker what it left out: each of them looked at all tests."""
    node.config.stash[NOT_RUN] = getattr(node, "workeroutput", {}).get("not_run", {})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """Say, below all else, which tests were not run and why."""
    yield
    not_run = config.stash.get(NOT_RUN, {})
    if not_run:
        terminalreporter.section("not run", yellow=True)
    for what, names in not_run.items():
        terminalreporter.line(f"{len(names)} {what}")
        for name in names:
            terminalreporter.line(f"NOT RUN {name}")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run what draws examples, or asks for `loop`, at full count in `make soak`.

    Tests of the contract have no such mark: who derives from it did not register it.
    """
    if isinstance(item, pytest.Function) and (
        getattr(item.obj, "is_hypothesis_test", False) or "loop" in item.fixturenames
    ):
        item.add_marker("soak")


@pytest.fixture
def report(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Print a figure: at full count at once, otherwise if the test fails."""
    name = request.node.name

    def say(text: str) -> None:
        if FULL:
            with capsys.disabled():
                print(f"\n{name}: {text}", end="", flush=True)  # noqa: T201 - figures
        else:
            print(text)  # noqa: T201 - pytest shows it beside a failure

    return say


@pytest.fixture
def loop(report: Callable[[str], None]) -> Callable[[int, int], tuple[int, Random]]:
    """Return rounds or seconds, ``loop(short, full)``, and the seeded randomness."""
    return partial(rounds, report=report)


@pytest.fixture(scope="session")
def apart() -> tuple[str, ...]:
    """The beginning of a command: what it mounts, nobody else sees."""
    return APART


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python processes, ``start(code, *argv)``; none outlives the test."""
    with ExitStack() as stack:

        def run(code: str, *argv: object) -> "subprocess.Popen[str]":
            child = subprocess.Popen(
                [sys.executable, "-c", dedent(code), *map(str, argv)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(child)  # closes the pipes, and waits
            stack.callback(child.kill)
            return child

        yield run


@pytest.fixture
def start_unprivileged(
    start: Callable[..., "subprocess.Popen[str]"],
) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a program, as `start` does, that can call ``become_nobody()``.

    From there on it is a user who is not root, if it was root before.
    """
    import mooring_sqlite

    # Not in tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "mooring_sqlite")
        shutil.copytree(mooring_sqlite.__path__[0], package)
        for place in (Path(folder), package, *package.rglob("*")):
            place.chmod(0o755)

        def run(code: str, *argv: object) -> "subprocess.Popen[str]":
            return start(BECOME_NOBODY + dedent(code), folder, *argv)

        yield run


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[Callable[..., "SqliteStore"]]:
    """Open SQLite stores, ``open_sqlite(path, **options)``, closed with the test."""
    # Not above: the tests of core run where there is no driver.
    from mooring_sqlite import SqliteStore

    with ExitStack() as stack:

        def run(path: str | Path = "app.db", **options: object) -> SqliteStore:
            where = path if path == ":memory:" else str(tmp_path / path)
            mode = options.pop("migrate", None)
            sources = options.pop("migrations", ())
            store = core.open(
                {"driver": "sqlite", "path": where, **options},
                migrations=sources,  # type: ignore[arg-type]  # as the test gave it
                migrate=mode,  # type: ignore[arg-type]  # as the test gave it
            )
            assert isinstance(store, SqliteStore)
            stack.callback(store.close)
            return store

        yield run


@pytest.fixture
def migration_file(tmp_path: Path) -> Callable[..., migrate.Source]:
    """Write a migration, ``migration_file(name, *up, down="", head="")``.

    It returns the source of all that the test has written; see `write_migration`.
    """
    return partial(write_migration, tmp_path / "files")


@pytest.fixture
def documented_checks() -> Callable[[str], set[str]]:
    """Return the checks on the page for operators, ``documented_checks(section)``.

    Those of every driver are among them; each says what to do.
    """
    page = Path(__file__).parents[1] / "docs" / "how-to" / "operate.md"

    def names(section: str) -> set[str]:
        found = set()
        for title in ("On every driver", section):
            rest = page.read_text().partition(f"\n### {title}\n")[2]
            table = rest.partition("| - | - | - |\n")[2].partition("\n\n")[0]
            for row in table.splitlines():
                checks, looked, fix = row.strip("| ").split(" | ")
                assert looked
                assert fix
                found |= {check.strip("`") for check in checks.split(", ")}
        return found

    return names


@pytest.fixture
def spawn() -> Iterator[Callable[..., "Future[Any]"]]:
    """Call a function in a thread of its own; none outlives the test."""
    with threads() as spawn:
        yield spawn
