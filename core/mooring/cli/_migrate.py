"""``mooring migrate``."""

import click

from mooring.cli._app import LazyGroup


class MigrateGroup(LazyGroup):
    """The verbs about one store's schema, imported when they are invoked."""

    verbs = {  # noqa: RUF012 - the type is that of the base
        "status": ("_migrate_status:status", "Show each migration, and its state."),
        "plan": ("_migrate_up:plan", "Show what `up` would do."),
        "up": ("_migrate_up:up", "Apply what is pending."),
        "down": ("_migrate_down:down", "Undo the newest migration, or several."),
        "redo": ("_migrate_down:redo", "Undo, and apply again."),
        "reset": ("_migrate_down:reset", "Undo all migrations."),
        "wait": ("_migrate_status:wait", "Wait until somebody else has migrated."),
        "stamp": ("_migrate_record:stamp", "Note as applied, and run nothing."),
        "new": ("_migrate_new:new", "Begin a migration: a file for each dialect."),
        "validate": (
            "_migrate_validate:validate",
            "Check migration files; no database is opened.",
        ),
        "repair": ("_migrate_record:repair", "Correct what is recorded."),
    }


@click.group(cls=MigrateGroup)
def command() -> None:
    """Bring a store's schema up or down, or look at it."""
