"""The databases of a run of tests: migrated once, and copied for each test."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import Any, TypeVar, cast

from mooring import core, migrate
from mooring.testing._placeholders import PlaceholderDatabases
from mooring.testing._scratch import (
    Options,
    ScratchDatabases,
    TemplateDatabases,
    offered_for,
)

T = TypeVar("T")
Sources = migrate.Source | Sequence[migrate.Source]


class Kind:
    """What the databases of a test are: two that are equal have one template.

    Args:
        driver: The name of the driver.
        options: Those that the tests have, beside the ones that lead to a database.
        sources: The application's own migrations.
    """

    def __init__(self, driver: str, options: Options, sources: Sources) -> None:
        self.driver = driver
        self.options = dict(options)
        self.sources = [sources] if isinstance(sources, migrate.Source) else [*sources]

    def key(self) -> object:
        """Return what identifies it: of the migrations their content."""
        files = [
            (source.table, file.name, sha256(file.read_bytes()).hexdigest())
            for source in self.sources
            for file in source.files().values()
        ]
        return self.driver, repr(sorted(self.options.items())), tuple(files)

    def open(self, options: Options) -> core.SqlStore:
        """Open a store of it, at head afterwards."""
        return core.open(options, migrations=self.sources, migrate="apply")


class Templates:
    """Makes databases for tests; whoever has one left must drop it before `close`.

    Args:
        folder: For files, of its own.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._found: dict[object, Any] = {}

    @contextmanager
    def database(self, kind: Kind) -> Iterator[dict[str, Any]]:
        """Give the options of a new, migrated database; it is dropped afterwards.

        Raises:
            ConfigError: The options lead to no new database.
            MooringError: It cannot be made or migrated.
        """
        databases, further = self._databases(kind)
        with ExitStack() as stack:
            if isinstance(databases, TemplateDatabases):
                template = self._template(kind, databases, further)
                copy = stack.enter_context(databases.copy(template))
                yield _joined(kind.driver, copy, further)
            else:
                yield stack.enter_context(_migrated(kind, databases, further))[1]

    def close(self) -> None:
        """Drop the templates, and end what made them."""
        self._stack.close()

    def _template(
        self, kind: Kind, databases: TemplateDatabases, further: Options
    ) -> Options:
        def make() -> Options:
            return self._stack.enter_context(_migrated(kind, databases, further))[0]

        return self._once(kind.key(), make)

    def _databases(self, kind: Kind) -> tuple[ScratchDatabases, Options]:
        """Return what makes the databases, and the options that they leave open."""
        driver = kind.driver

        def enter() -> ScratchDatabases | None:
            offer = offered_for(driver)
            if offer is None:
                return None
            folder = os.path.join(self._folder, driver)
            os.makedirs(folder)
            return self._stack.enter_context(offer(folder))

        offered = self._once(driver, enter)
        if offered is not None:
            return offered, kind.options
        return PlaceholderDatabases(driver, kind.options, self._folder), {}

    def _once(self, key: object, make: Callable[[], T]) -> T:
        """Return what *make* returned at the first time, or raise what it raised."""
        if key not in self._found:
            try:
                self._found[key] = make()
            except core.MooringError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, core.MooringError):
            raise found.with_traceback(None)  # tests would pile them up in it
        return cast("T", found)


@contextmanager
def _migrated(
    kind: Kind, databases: ScratchDatabases, further: Options
) -> Iterator[tuple[Options, dict[str, Any]]]:
    """Make a database and migrate it; no store has it open."""
    with databases.empty() as place:
        options = _joined(kind.driver, place, further)
        # What the tests open is there already; this one has to be made.
        making = {**options, "create": True}
        _require_new(making, kind.sources)
        kind.open(making).close()
        yield place, options


def _joined(driver: str, place: Options, further: Options) -> dict[str, Any]:
    """Return the options of a store; secrets as such, since pytest shows arguments."""
    both = sorted({"driver", *place} & further.keys())
    if both:
        raise core.ConfigError(
            [f"mooring_options sets {', '.join(both)}: the fixtures decide that"],
            hint="leave it out; --mooring-driver chooses the driver",
        )
    known = core.option_fields(core.default_registry().info(driver).config_class)
    options = {"driver": driver, **place, **further}
    for key in options.keys() & known.keys():
        if known[key].metadata.get("secret") and isinstance(options[key], str):
            options[key] = core.Secret(options[key])
    return options


def _require_new(options: Options, sources: Sequence[migrate.Source]) -> None:
    """Raise unless there is a database that nobody has migrated yet."""
    with core.open(options, migrations=sources, migrate="skip") as store:
        if not isinstance(store, core.Migratable):
            return
        own = core.driver_folder(store)
        known = [*sources, *([migrate.Source(own)] if own is not None else [])]
        if any(store.migration_versions(source.table) for source in known):
            raise core.ConfigError(
                [f"{store!r} is in use: tests would write into it"],
                hint="let no option of mooring_options lead to a database that is there"
                " already",
            )
