"""Statements that the tests of several groups run, on the shipped schema."""

from mooring import core

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
BROKEN = "SELECT * FROM there_is_no_such_table"
COUNT = "SELECT count(*) FROM users"
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT count(*) FROM n"
)
KEY = (
    "INSERT INTO api_keys (id, user_id, hash, prefix)"
    " VALUES (:id, :user, :hash, :prefix)"
)
USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"


def add(connection: core.Connection, *users: str) -> None:
    """Add users."""
    for user in users:
        connection.execute(ADD, {"id": user})


def count(connection: core.Connection) -> int:
    """Return how many users there are."""
    found = connection.execute(COUNT).scalar()
    assert isinstance(found, int)
    return found


def ids(connection: core.Connection) -> list[str]:
    """Return the users, in the order of their names."""
    return [row["id"] for row in connection.execute("SELECT id FROM users ORDER BY id")]
