"""What is wrong in a configuration whose options are each of the right type."""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
from mooring.core import Problem, Secret

from mooring_postgres._dsn import DsnError, are_ports, parse
from mooring_postgres._options import names_in
from mooring_postgres._params import session_settings
from mooring_postgres._target import DEFAULT_PORT, target
from mooring_postgres._tls import is_undecided, tls_given

if TYPE_CHECKING:
    from mooring_postgres._config import PostgresConfig

_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")

_FILES = ("password_file", "sslrootcert", "sslcert", "sslkey")

# Of the settings that are always made, those that have an option of another name.
_OPTION_OF = {
    "idle_in_transaction_session_timeout": "idle_in_transaction_timeout",
    "search_path": "schema",
}


def problems(config: "PostgresConfig") -> list[Problem]:
    """Return every problem, in the order of the fields."""
    found = list(_texts(config))
    if not found:
        # What follows reads the texts, and shows some of them.
        for look in (_parts, _spellings, _files, _strings, _together, _pooler):
            found += look(config)
    keys = [field.name for field in attrs.fields(type(config))]
    return sorted(found, key=lambda problem: keys.index(problem.key))


def _texts(config: "PostgresConfig") -> Iterator[Problem]:
    for field in attrs.fields(type(config)):
        value = getattr(config, field.name)
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str):
            continue
        if re.search("[\0\r\n]", text):
            yield Problem(field.name, "must not hold a NUL or a line break")
        elif re.search("[\ud800-\udfff]", text):
            yield Problem(field.name, "holds a character that is none in Unicode")
        elif text is value and ("://" in text or "password=" in text.lower()):
            yield Problem(
                field.name,
                "is a connection string (value hidden); give it as conn_string",
            )


def _parts(config: "PostgresConfig") -> Iterator[Problem]:
    if not config.host and not config.conn_string:
        yield Problem("host", "postgres requires host or conn_string")
    for host in config.host.split(",") if config.host else ():
        problem = _host_problem(host)
        if problem:
            yield Problem("host", problem)
            break
    ports = str(config.port)
    if not are_ports(ports) or "" in ports.split(","):
        yield Problem("port", "must be between 1 and 65535")
    if config.schema and not _is_schema(config.schema):
        yield Problem(
            "schema",
            "must be small letters, digits and '_', up to 63, the first no digit, and"
            " none of the server's own names",
        )
    if not config.application_name.isprintable():
        yield Problem("application_name", "must not hold control characters")


def _host_problem(host: str) -> str | None:
    if not host.strip():
        return "names an empty host"
    if host.startswith("/"):
        return None
    if "@" in host[1:]:
        return "holds an '@' (value hidden); give a whole URL as conn_string"
    if re.search(r"\s", host):
        return "must not hold spaces"
    if host.startswith("["):
        return "must be an IPv6 address without '[' and ']'"
    if re.fullmatch(r"[^:]+:[0-9]*", host):
        return "holds a port; give that as port"
    return None


def _is_schema(text: str) -> bool:
    return bool(_SCHEMA.fullmatch(text)) and text != "information_schema"


def _spellings(config: "PostgresConfig") -> Iterator[Problem]:
    for first, second in (("dbname", "name"), ("sslmode", "ssl_mode")):
        values = {getattr(config, first), getattr(config, second)} - {""}
        if len(values) > 1:
            yield Problem(second, f"is the same as {first}, but has another value")


def _files(config: "PostgresConfig") -> Iterator[Problem]:
    for key in _FILES:
        if getattr(config, key).startswith("~"):
            yield Problem(key, "'~' is not expanded; write the whole path")
    if config.password and config.password_file:
        yield Problem("password_file", "must not be set together with password")


def _strings(config: "PostgresConfig") -> Iterator[Problem]:
    """Look at the connection strings by themselves."""
    settings = {"timezone"} | {*session_settings(config, migration=True)}
    for key in ("conn_string", "migration_conn_string"):
        secret = getattr(config, key)
        if not secret:
            continue
        try:
            found = parse(secret.reveal())
        except DsnError as error:
            problem = str(error)
        else:
            problem = ""
            made = settings.intersection(names_in(found.get("options", "")))
            if made:
                problem = _made_already(min(made))
        if problem:
            yield Problem(key, problem)


def _made_already(setting: str) -> str:
    if setting == "timezone":
        return "its options set TimeZone, which is always UTC here"
    return (
        f"its options set {setting}; use the option"
        f" {_OPTION_OF.get(setting, setting)} instead"
    )


def _together(config: "PostgresConfig") -> Iterator[Problem]:
    """Look at what the connection string and the options say together."""
    for migration in (False, True):
        if migration and not config.migration_conn_string:
            continue
        try:
            found = target(config, migration=migration)
        except DsnError:
            continue  # told before
        string = "migration_conn_string" if migration else "conn_string"
        yield from _counts(config, found, string)
        yield from _tls(config, found, string)


def _counts(
    config: "PostgresConfig", found: dict[str, str], string: str
) -> Iterator[Problem]:
    hosts = found.get("hostaddr") or found.get("host") or ""
    ports = found.get("port") or ""
    count, expected = ports.count(",") + 1, hosts.count(",") + 1
    if count > 1 and count != expected:
        from_options = ports == str(config.port) != str(DEFAULT_PORT)
        yield Problem(
            "port" if from_options and string == "conn_string" else string,
            f"has {count} ports for {expected} hosts; give one, or one for each",
        )


def _tls(
    config: "PostgresConfig", found: dict[str, str], string: str
) -> Iterator[Problem]:
    environ = os.environ
    given = tls_given(config, found, environ)
    for key, other in (("sslcert", "sslkey"), ("sslkey", "sslcert")):
        if getattr(config, key) and other not in given:
            yield Problem(key, f"needs {other} too")
    weak = given.get("sslmode", "verify-full") != "verify-full"
    if given.get("sslrootcert") == "system" and weak:
        yield Problem("sslmode", "must be verify-full where sslrootcert is 'system'")
    if is_undecided(config, found, environ):
        yield Problem(
            "sslmode",
            f"must be set, since a service file says where {string} leads; verify-full"
            " is the safe one",
        )


def _pooler(config: "PostgresConfig") -> Iterator[Problem]:
    if config.pooler != "transaction":
        return
    fields = attrs.fields(type(config))
    role = "cannot be set through a transaction pooler: use ALTER ROLE ... SET"
    if config.schema:
        yield Problem("schema", f"{role} search_path")
    if config.lock_timeout not in (0, fields.lock_timeout.default):
        yield Problem("lock_timeout", f"{role} lock_timeout")
    idle = fields.idle_in_transaction_timeout.default
    if config.idle_in_transaction_timeout not in (0, idle):
        yield Problem(
            "idle_in_transaction_timeout",
            f"{role} idle_in_transaction_session_timeout",
        )
    if config.prepare_threshold not in (0, fields.prepare_threshold.default):
        yield Problem(
            "prepare_threshold",
            "must be 0 with a transaction pooler, which gives each transaction another"
            " session",
        )
