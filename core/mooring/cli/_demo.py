"""``mooring demo``: what the project does, shown on a new store."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any, Final

import click

from mooring.cli._health import document, documents
from mooring.cli._migrating import short
from mooring.cli._output import json_option, milliseconds, plural, say_json
from mooring.cli._page import Page, matches, verdict
from mooring.cli._target import Seconds, Target, resolve, url_arguments

if TYPE_CHECKING:
    from mooring.cli._workload import Figures
    from mooring.core import Health, SqlStore, StoreConfig
    from mooring.migrate import Outcome

# Where it opens a store if no TARGET is given: it takes no server.
_FOLDER: Final = "mooring-demo"
_DEFAULT: Final = "sqlite:{path}"
_LOOK: Final = "SELECT prefix, hash FROM api_keys"
_LOOK_INTO_DEFAULT: Final = "sqlite3 {path} 'SELECT prefix, hex(hash) FROM api_keys'"
_WRITERS: Final = 4
_READERS: Final = 4


@click.command()
@url_arguments
@click.option(
    "--seconds",
    type=Seconds(),
    default=1.0,
    show_default=True,
    help="How long writers and readers work side by side.",
)
@json_option
def command(
    *, target: str | None, options: tuple[str, ...], seconds: float, as_json: bool
) -> int:
    """Run a small workload on the new store TARGET, and check every promise.

    Without TARGET it is a new SQLite file in mooring-demo/. A store that somebody uses
    is refused. The demo leaves its tables, for you to look at.
    """
    from mooring import core
    from mooring.cli import _workload

    path = None if target else _new_path()
    where = target or _DEFAULT.format(path=path)
    preset = _preset(options)
    place = resolve(where, options, preset=preset)
    config = place.config

    page = Page(quiet=as_json)
    page.line("mooring opens the store that a configuration names.")
    settings = _tell_settings(page, config, _sources(place, preset, path))
    with core.open(config, migrate="skip") as store:
        _refuse_unfit(store)
        steps = _tell_opening(page, store)
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
        durable = core.Capability.DURABLE in store.capabilities
        rates = _tell_figures(page, figures, durable=durable)
        _tell_second_process(page, where, options, figures, key)
        health = _tell_health(page, store)
        name = _name_of(store)
    if as_json:
        say_json(
            ok=page.ok,
            driver=config.driver,
            target=name,
            settings=settings,
            migrations=[
                {"name": s.name, "ms": milliseconds(s.duration)} for s in steps
            ],
            workload=rates,
            health=document(health),
            checks=documents(page.checks),
        )
    else:
        _tell_end(page, place.shown, path)
    return 0 if page.ok else 1


def _new_path() -> str:
    """Return the path of a file that does not exist."""
    number, path = 1, os.path.join(_FOLDER, "demo.db")
    while os.path.lexists(path):
        number += 1
        path = os.path.join(_FOLDER, f"demo-{number}.db")
    return path


def _preset(options: Iterable[str]) -> dict[str, object]:
    """Return what the demo sets: nothing, if the size of the pool is given."""
    given = {option.partition("=")[0] for option in options}
    if given & {"max_open_conns", "max_idle_conns"}:
        return {}
    return {"max_idle_conns": _WRITERS + _READERS}  # each keeps its connection


def _sources(place: Target, preset: Iterable[str], path: str | None) -> dict[str, str]:
    """Return who set the driver and each option, in words."""
    found = {"driver": "TARGET", **place.sources}
    if path is not None:  # it is ours
        found = {k: v.replace("TARGET", "the demo") for k, v in found.items()}
    return {**found, **dict.fromkeys(preset, "the demo")}


def _refuse_unfit(store: "SqlStore") -> None:
    """Refuse a store that cannot do what is shown, or that is somebody's.

    Raises:
        UnsupportedByDriver: It lacks a capability.
        StoreError: It is not empty.
    """
    from mooring import core
    from mooring.cli._witness import TABLES
    from mooring.migrate import Migrator

    name, has = _name_of(store), core.Capability
    for needed in (has.SAVEPOINTS, has.CONCURRENT_SNAPSHOTS, has.MULTI_PROCESS):
        if needed not in store.capabilities:
            raise core.UnsupportedByDriver(
                f"the demo needs {needed}, which this {store.driver} store has not",
                driver=store.driver,
                capability=needed,
                hint="name a store that several connections and processes can use",
            )
    used = any(one.state != "pending" for one in Migrator(store).status())
    if used or any(_has_table(store, table) for table in TABLES):
        what = "migrations were applied to it" if used else "it has tables of that name"
        raise core.StoreError(
            f"{name} is not empty: {what}; the demo changes no store that is in use",
            hint="name a new store, or an empty database",
        )


def _has_table(store: "SqlStore", table: str) -> bool:
    from mooring import core

    try:
        store.execute(f"SELECT 1 AS one FROM {table} WHERE 1 = 0")
    except core.StatementError:
        return False
    return True


def _name_of(store: "SqlStore") -> str:
    name: str = getattr(store, "target", "")
    return name


def _tell_settings(
    page: Page, config: "StoreConfig", sources: Mapping[str, str]
) -> list[dict[str, Any]]:
    import attrs

    from mooring import core

    page.section(
        "Configuration",
        "Every setting is typed and checked before anything is opened, and it is known"
        " where each one came from.",
    )
    settings = [attrs.asdict(one) for one in core.settings_of(config, sources)]
    page.rows(
        (one["key"], f"{one['value']} {one['unit']}".rstrip(), one["source"])
        for one in settings
    )
    return settings


def _tell_opening(page: Page, store: "SqlStore") -> "Outcome":
    from mooring.migrate import Migrator

    page.section(
        "A new store, migrated",
        "The schema comes from SQL files, applied under a lock, in one transaction.",
    )
    steps = Migrator(store).up()
    page.rows(
        (str(s.version), short(s.name), f"{(s.duration or 0) * 1000:.1f} ms")
        for s in steps
    )
    page.line()
    page.line(f"   {store!r}")
    page.line()
    left = len(Migrator(store).up())
    page.look([verdict("second run", ok=not left, detail=f"{left} left to apply")])
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


def _tell_figures(page: Page, figures: "Figures", *, durable: bool) -> dict[str, Any]:
    commit = "durable commit" if durable else "commit"
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
             f"in {plural(figures.commits, commit)}"),
            ("read", plural(figures.rows_read, "row"), f"{read:,} a second",
             f"in {plural(figures.snapshots, 'snapshot')}"),
        ]
    )  # fmt: skip
    page.line()
    torn = f"{figures.torn:,} of {figures.snapshots:,} were inconsistent"
    page.look([verdict("snapshots", ok=not figures.torn, detail=torn)])
    return rates


def _tell_second_process(
    page: Page,
    target: str,
    options: tuple[str, ...],
    figures: "Figures",
    key: tuple[str, str, str],
) -> None:
    from mooring.cli import _witness, _workload

    page.section(
        "Read back by another process",
        "A new Python process opens the same configuration while this one has it open:"
        " what was committed is there, tree by tree.",
    )
    root, prefix, digest = key
    try:
        found = _witness.ask(target, options, root=root, prefix=prefix)
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
        "Settings that belong to a connection are made and read back on each one. What"
        " can go wrong with this driver's stores is looked at now.",
    )
    # One connection may be the only one that writes.
    _lend_readers(store, min(_READERS, store.config.max_open_conns - 1))
    health = core.health_check(store, integrity=True, timeout=30.0)
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


def _tell_end(page: Page, target: str, path: str | None) -> None:
    page.total()
    page.line("Now look for yourself:")
    page.line()
    page.line(f"   {_program()} doctor {target}")
    page.line(f"   {_program()} migrate status {target}")
    if path is not None:
        page.line(f"   {_LOOK_INTO_DEFAULT.format(path=shlex.quote(path))}")
    else:
        page.line(f"   {_LOOK}    in a client of the database")


def _program() -> str:
    """Return what to type for this command: a checkout's is not on the path."""
    typed = not sys.argv[0].endswith(".py") and not shutil.which("mooring")
    return sys.argv[0] if typed else "mooring"
