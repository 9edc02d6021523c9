"""``mooring demo``: what the project does, shown on a new store."""

import os
import shlex
import shutil
import stat
import sys
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any, Final

import click

from mooring.cli._health import document, documents
from mooring.cli._migrate import short
from mooring.cli._output import json_option, milliseconds, plural, say_json
from mooring.cli._page import Page, matches, verdict
from mooring.cli._settings import describe
from mooring.cli._target import Seconds

if TYPE_CHECKING:
    from mooring.cli._workload import Figures
    from mooring.core import Health, SqlStore, StoreConfig
    from mooring.migrate import Step

# What the demo sets; everything else is the driver's own default.
_CONFIG: Final[dict[str, Any]] = {"driver": "sqlite", "max_idle_conns": 8}
_LOOK_INSIDE: Final = "sqlite3 {path} 'SELECT prefix, hex(hash) FROM api_keys'"
_FOLDER: Final = "mooring-demo"
_WRITERS: Final = 4
_READERS: Final = 4


@click.command()
@click.option("--path", help=f"A file that does not exist; one in {_FOLDER}/.")
@click.option(
    "--seconds",
    type=Seconds(),
    default=1.0,
    show_default=True,
    help="How long writers and readers work side by side.",
)
@json_option
def command(*, path: str | None, seconds: float, as_json: bool) -> int:
    """Open a new store, run a small workload on it, and check every promise."""
    from mooring import core
    from mooring.cli import _workload

    page, path = Page(quiet=as_json), _new_path(path)
    given = {**_CONFIG, "path": path}
    config = core.configure(given)
    page.line(f"mooring opens the store that a configuration names: {path}")
    settings = _tell_settings(page, config, given)
    with core.open(config, migrate="skip") as store:
        steps = _tell_opening(page, store, path)
        key = _tell_rules(page, store)
        page.section(
            "Writers and readers at the same time",
            f"{_WRITERS} threads insert trees of {_workload.TREE} tasks and announce"
            f" their number in the same transaction; {_READERS} threads compare the"
            " announced number with the tasks. A snapshot never shows half of it.",
        )
        figures = _workload.work_together(
            store, writers=_WRITERS, readers=_READERS, seconds=seconds
        )
        rates = _tell_figures(page, figures)
        _tell_second_process(page, given, figures, key)
        health = _tell_health(page, store)
    driver = config.driver
    if as_json:
        say_json(
            ok=page.ok,
            path=path,
            driver=driver,
            settings=settings,
            migrations=[
                {"name": s.name, "ms": milliseconds(s.duration)} for s in steps
            ],
            workload=rates,
            health=document(health),
            checks=documents(page.checks),
        )
    else:
        _tell_end(page, path, f"{driver}:{path}")
    return 0 if page.ok else 1


def _new_path(path: str | None) -> str:
    """Return the path of a file that does not exist."""
    if path is not None:
        if os.path.lexists(path):
            raise click.UsageError(f"--path {path}: exists; name a new file")
        return path
    number, path = 1, os.path.join(_FOLDER, "demo.db")
    while os.path.lexists(path):
        number += 1
        path = os.path.join(_FOLDER, f"demo-{number}.db")
    return path


def _tell_settings(
    page: Page, config: "StoreConfig", given: dict[str, Any]
) -> list[dict[str, Any]]:
    page.section(
        "Configuration",
        "Every setting is typed and checked before anything is opened, and it is known"
        " where each one came from.",
    )
    settings = describe(config, given, "the demo")
    page.rows(
        (one["key"], f"{one['value']} {one['unit']}".rstrip(), one["source"])
        for one in settings
    )
    return settings


def _tell_opening(page: Page, store: "SqlStore", path: str) -> "list[Step]":
    from mooring.migrate import Migrator

    page.section(
        "A new store, migrated",
        "The file is made for its owner alone; the schema comes from SQL files, applied"
        " under a lock, in one transaction.",
    )
    steps = Migrator(store).up()
    page.rows(
        (str(s.version), short(s.name), f"{(s.duration or 0) * 1000:.1f} ms")
        for s in steps
    )
    page.line()
    mode = stat.S_IMODE(os.stat(path).st_mode)
    left = len(Migrator(store).up())
    page.look(
        [
            verdict("file mode", ok=not mode & 0o077, detail=f"{mode:04o}"),
            verdict("second run", ok=not left, detail=f"{left} left to apply"),
        ]
    )
    return steps


def _tell_rules(page: Page, store: "SqlStore") -> tuple[str, str, str]:
    """Insert the first rows; return the root task, the key's prefix and its hash."""
    from mooring.cli import _witness, _workload

    page.section(
        "The rules of a store",
        "A workflow with a tree of tasks, a user, and an API key, of which only the"
        " SHA-256 is stored. What must not work is tried, and is an error of one kind"
        " on every driver.",
    )
    root = _workload.insert_workflow(store)
    prefix, digest, savepoint = _workload.insert_user(store)
    found = _witness.survey(store, root, prefix)
    counts = dict(zip(_witness.TABLES, (1, _workload.TREE, 1, 1), strict=True))
    wanted = {"counts": counts, "levels": _workload.LEVELS, "hash": digest}
    told = plural(sum(found["counts"].values()), "row")
    kept = matches("all else is kept", found, wanted, told)
    page.look([savepoint, *_workload.refused(store), kept])
    return root, prefix, digest


def _tell_figures(page: Page, figures: "Figures") -> dict[str, Any]:
    seconds = figures.seconds
    rates = {
        "seconds": round(seconds, 3),
        "commits": figures.commits,
        "rows_written": figures.rows_written,
        "rows_written_per_second": round(figures.rows_written / seconds),
        "snapshots": figures.snapshots,
        "rows_read": figures.rows_read,
        "rows_read_per_second": round(figures.rows_read / seconds),
    }
    written, read = rates["rows_written_per_second"], rates["rows_read_per_second"]
    page.rows(
        [
            ("written", plural(figures.rows_written, "row"), f"{written:,} a second",
             f"in {plural(figures.commits, 'durable commit')}"),
            ("read", plural(figures.rows_read, "row"), f"{read:,} a second",
             f"in {plural(figures.snapshots, 'snapshot')}"),
        ]
    )  # fmt: skip
    page.line()
    torn = f"{figures.torn:,} of {figures.snapshots:,} were inconsistent"
    page.look([verdict("snapshots", ok=not figures.torn, detail=torn)])
    return rates


def _tell_second_process(
    page: Page, given: dict[str, Any], figures: "Figures", key: tuple[str, str, str]
) -> None:
    from mooring.cli import _witness, _workload

    page.section(
        "Read back by another process",
        "A new Python process opens the same configuration while this one has it open:"
        " what was committed is there, tree by tree.",
    )
    root, prefix, digest = key
    try:
        found = _witness.ask(given, root, prefix)
    except _witness.WitnessError as error:
        page.look([verdict("process", ok=False, detail=str(error))])
        return
    tasks = _workload.TREE * (figures.commits + 1)
    wanted = zip(_witness.TABLES, (1 + _WRITERS, tasks, 1, 1), strict=True)
    checks = [
        matches(name, found["counts"][name], count, plural(count, "row"))
        for name, count in wanted
    ]
    shape = " + ".join(map(str, found["levels"].values()))
    levels = matches("tree", found["levels"], _workload.LEVELS, f"{shape} tasks")
    key_hash = matches("hash of the key", found["hash"], digest, f"{digest[:12]}...")
    page.look([*checks, levels, key_hash])


def _tell_health(page: Page, store: "SqlStore") -> "Health":
    from mooring import core

    page.section(
        "Health",
        "Settings that belong to a connection are made and read back on each one: the"
        " writer and all readers, asked now.",
    )
    _lend_readers(store, _READERS)
    health = core.health_check(store, deep=True, timeout=30.0)
    page.look(health.checks)
    return health


def _lend_readers(store: "SqlStore", count: int) -> None:
    """Have *count* snapshots open at once, so that as many connections are there."""
    together = Barrier(count)

    def read() -> None:
        with store.read() as snapshot:
            snapshot.execute("SELECT 1 AS one").scalar()
            together.wait(10)

    threads = [Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _tell_end(page: Page, path: str, target: str) -> None:
    page.total()
    page.line("Now look for yourself:")
    page.line()
    page.line(f"   {_program()} health {shlex.quote(target)} --deep")
    page.line(f"   {_program()} migrate status {shlex.quote(target)}")
    page.line(f"   {_LOOK_INSIDE.format(path=shlex.quote(path))}")


def _program() -> str:
    """Return what to type for this command: a checkout's is not on the path."""
    typed = not sys.argv[0].endswith(".py") and not shutil.which("mooring")
    return sys.argv[0] if typed else "mooring"
