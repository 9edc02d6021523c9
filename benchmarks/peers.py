"""Which peers are here: one that is not is said to be not measured, and why."""

from importlib.util import find_spec

SQLALCHEMY = "SQLAlchemy Core"
ORM = "SQLAlchemy ORM"
PEEWEE = "peewee"
AIOSQLITE = "aiosqlite"
APSW = "APSW"
ALEMBIC = "SQLAlchemy and Alembic"
SQLITE_UTILS = "sqlite-utils"
DJANGO = "Django migrate"
DBOS = "DBOS launch, its own schema"
YOYO = "yoyo-migrations"
ASYNCPG = "asyncpg"
PSYCOPG_POOL = "psycopg_pool"
CATTRS = "cattrs"

# What each of them is imported as.
_MODULES = {
    SQLALCHEMY: ("sqlalchemy",),
    ORM: ("sqlalchemy",),
    PEEWEE: ("peewee",),
    AIOSQLITE: ("aiosqlite",),
    APSW: ("apsw",),
    ALEMBIC: ("sqlalchemy", "alembic"),
    SQLITE_UTILS: ("sqlite_utils",),
    DJANGO: ("django",),
    DBOS: ("dbos",),
    YOYO: ("yoyo",),
    ASYNCPG: ("asyncpg",),
    PSYCOPG_POOL: ("psycopg_pool",),
    CATTRS: ("cattrs",),
}


def not_measured(*peers: str) -> dict[str, str]:
    """Return why a peer cannot be measured here, by peer; those that can are absent."""
    return {
        peer: f"{module} is not installed"
        for peer in peers
        for module in _MODULES[peer]
        if find_spec(module) is None
    }
