"""The driver's configuration."""

from collections.abc import Collection, Iterable, Mapping

import attrs
from mooring.core import Problem, Secret, StoreConfig, option

from mooring_postgres._dsn import SESSION_ATTRS, TLS_MODES
from mooring_postgres._target import DEFAULT_PORT

# In days, 24; the server counts milliseconds in 31 bits.
_LONGEST = 2_147_483


@attrs.frozen(kw_only=True)
class PostgresConfig(StoreConfig):
    """Which server and database, and how its connections behave."""

    driver: str = attrs.field(default="postgres", init=False)
    conn_string: Secret | None = option(
        None,
        "A whole connection string, as libpq takes it: `postgresql://...`, or"
        " `key=value` pairs. What it sets wins over the options below.",
        secret=True,
    )
    host: str = option(
        "",
        "Name or address of the server, or the folder of its Unix socket; several are"
        " tried in order, with commas between. Not needed with `conn_string`.",
    )
    port: int | str = option(
        DEFAULT_PORT,
        "Port of the server, 1 to 65535; several with commas between, one for each"
        " host.",
    )
    user: str = option(
        "", "Who connects; without it `PGUSER`, or the name of the process's user."
    )
    password: Secret | None = option(
        None,
        "Their password; without it `PGPASSWORD`, or the file `~/.pgpass`.",
        secret=True,
    )
    password_file: str = option(
        "", "File with their password, read again for each new connection."
    )
    dbname: str = option(
        "", "Name of the database; without it `PGDATABASE`, or the name of the user."
    )
    name: str = option("", "The same as `dbname`.", same_as="dbname")
    sslmode: str = option(
        "",
        "How to use TLS; without it the connection string, `PGSSLMODE`, or the rule"
        " below.",
        choices=("", *TLS_MODES),
    )
    ssl_mode: str = option(
        "", "The same as `sslmode`.", choices=("", *TLS_MODES), same_as="sslmode"
    )
    sslrootcert: str = option(
        "",
        "File of the authorities that may sign the server's certificate; `system` for"
        " those that the machine trusts.",
    )
    sslcert: str = option("", "File of the client's certificate.")
    sslkey: str = option(
        "", "File of its key; mode 0600, or 0640 if it belongs to root."
    )
    target_session_attrs: str = option(
        "",
        "Which of several servers to take; without it the first.",
        choices=("", *SESSION_ATTRS),
    )
    schema: str = option(
        "",
        "Schema where tables are looked for and made; without it as the role has it.",
    )
    lock_timeout: float = option(
        5.0,
        "How long a statement may wait for a lock; 0 = as long as it may run.",
        unit="seconds",
        ge=0,
        le=_LONGEST,
    )
    idle_in_transaction_timeout: float = option(
        60.0,
        "How long a transaction may wait for its next statement before the server ends"
        " its session; 0 = no limit.",
        unit="seconds",
        ge=0,
        le=_LONGEST,
    )
    application_name: str = option(
        "mooring", "How the sessions are called in `pg_stat_activity`."
    )
    prepare_threshold: int = option(
        5,
        "After how many uses the server keeps a statement prepared; 0 = never.",
        unit="uses",
        ge=0,
    )
    pooler: str = option(
        "none",
        "What stands between: `transaction` for one that lends a server's session for a"
        " transaction, such as PgBouncer in that mode.",
        choices=("none", "transaction"),
    )
    migration_conn_string: Secret | None = option(
        None,
        "The connection string for migrations, where it is another: past a pooler, or"
        " as a role that owns the tables. No option fills it but those of TLS.",
        secret=True,
    )

    def problems(self) -> Iterable[Problem]:
        """Yield what is wrong in an option's text, and between options."""
        from mooring_postgres._rules import problems

        yield from super().problems()
        yield from problems(self)

    @classmethod
    def void_options(cls, options: Mapping[str, object]) -> Collection[str]:
        """Return the options that the connection string beside them says too."""
        from mooring_postgres._layers import void_options

        return void_options(options)

    @classmethod
    def overlay(
        cls, weaker: Mapping[str, object], stronger: Mapping[str, object]
    ) -> dict[str, object]:
        """Return the weaker options with the stronger over them.

        A stronger ``host`` has effect beside a weaker ``conn_string`` that names
        another, and a stronger string beside a weaker option.
        """
        from mooring_postgres._layers import overlay

        return overlay(weaker, stronger)

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options of ``postgresql://...``, which libpq reads as well."""
        return {"conn_string": url}
