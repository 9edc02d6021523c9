"""Peer: the same start with Django's ``migrate``.

FOLDER has an application ``bench`` whose migrations run the same SQL. WAL mode and the
other settings are those of `by_hand.connect`.
"""

import sys

import by_hand
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection


def main() -> None:
    """Do what the arguments say."""
    path, key, folder = sys.argv[1:]
    by_hand.connect(path).close()
    sys.path.insert(0, folder)
    init = "PRAGMA foreign_keys = 1; PRAGMA synchronous = FULL"
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": path,
                "OPTIONS": {"init_command": init},
            }
        },
        INSTALLED_APPS=["bench"],
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflow_states"
            " (workflow_exec_id, workflow_id, status, input)"
            " VALUES (%s, 'greeting', 'created', %s)",
            (key, '{"name": "world"}'),
        )
    connection.close()


if __name__ == "__main__":
    main()
