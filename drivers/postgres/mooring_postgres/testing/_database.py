"""Where a server is, and the SQL that tests need to prepare it."""

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlencode

from mooring_postgres.testing._errors import ServerError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

_CONNECT_SECONDS: Final = 30


class DatabaseServer:
    """A server that can be connected to as one who may create databases.

    Attributes:
        host: Its name, address or socket folder.
        port: Its TCP port.
        user: A role that may create databases.
        password: Its password; "" if it needs none.
        dbname: A database that exists.
        options: What else libpq has to be told, such as ``sslmode``.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        dbname: str = "postgres",
        options: dict[str, str] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.dbname = dbname
        self.options = options or {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the server that a libpq URL or connection string names.

        Raises:
            ServerError: It is none, or names no user or no host. It is not repeated
                in the message.
        """
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        found: dict[str, Any] = {}
        # Raised below instead, apart from an error that may show the password.
        with suppress(psycopg.Error):
            found = {"port": "5432", **conninfo_to_dict(url)}
        if not (found.get("host") and found.get("user") and found["port"].isdigit()):
            raise ServerError(
                "the URL of the server is not that of one PostgreSQL with a user",
                hint="write postgresql://user:password@host:port/dbname",
            )
        return cls(
            host=found.pop("host"),
            port=int(found.pop("port")),
            user=found.pop("user"),
            password=found.pop("password", ""),
            dbname=found.pop("dbname", "postgres"),
            options=found,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host}:{self.port}>"

    @property
    def version(self) -> int:
        """The major version of PostgreSQL."""
        with self.connect() as connection:
            return connection.info.server_version // 10000

    def params(
        self,
        dbname: str | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
    ) -> dict[str, Any]:
        """Return what a client needs, in the names of libpq and of the driver.

        Args:
            dbname: A database; None: that of the server.
            user: Another role than the server's; the password is then left out unless
                given.
            password: Its password.
        """
        if user is None and password is None:
            password = self.password
        return {
            **self.options,
            "host": self.host,
            "port": self.port,
            "user": self.user if user is None else user,
            **({"password": password} if password else {}),
            "dbname": self.dbname if dbname is None else dbname,
        }

    def url(
        self,
        dbname: str | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
    ) -> str:
        """Return `params` as a URL."""
        params = self.params(dbname, user=user, password=password)
        who = quote(params.pop("user"), safe="")
        if "password" in params:
            who += ":" + quote(params.pop("password"), safe="")
        host, port, name = (params.pop(key) for key in ("host", "port", "dbname"))
        if ":" in host and not host.startswith("/"):
            host = f"[{host}]"
        else:
            host = quote(host, safe=",")
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        return f"postgresql://{who}@{host}:{port}/{quote(name, safe='')}{query}"

    def connect(
        self, dbname: str | None = None, **options: Any
    ) -> "Connection[TupleRow]":
        """Return a psycopg connection in autocommit, for what a test has to prepare.

        Args:
            dbname: A database; None: that of the server.
            options: Further arguments of ``psycopg.connect``.
        """
        import psycopg

        arguments = {"connect_timeout": _CONNECT_SECONDS, **self.params(dbname)}
        return psycopg.connect(autocommit=True, **{**arguments, **options})

    def create_database(self, name: str | None = None, *, template: str = "") -> str:
        """Create a database.

        Args:
            name: Its name; None: a new one.
            template: A database without connections that it is a copy of; "": the
                server's own template.

        Returns:
            Its name.
        """
        from psycopg import sql

        name = f"mooring_test_{secrets.token_hex(6)}" if name is None else name
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self.connect() as connection:
            connection.execute(command)
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database if there is one, whoever is connected to it."""
        from psycopg import sql

        command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with self.connect() as connection:
            connection.execute(command.format(sql.Identifier(name)))
