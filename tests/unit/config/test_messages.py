"""Messages as a whole, as people read them: what, where, and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
from mooring import core

Write = Callable[[str, str], None]


def told(**arguments: Any) -> str:
    with pytest.raises(core.MooringError) as caught:
        core.load(**{"env": {}, **arguments})
    return str(caught.value)


def test_every_problem_is_a_line_with_its_place(write: Write) -> None:
    write(
        "mooring.toml",
        '[database]\ndriver = "postgres"\nhost = "db"\nmax_open_conn = 3\n'
        'password = "hunter2"\nsslmode = "requre"\n',
    )
    assert told(env={"DB_PORT": "99999"}).splitlines() == [
        "3 problems in the store configuration:",
        "  env DB_PORT     port = 99999        must be between 1 and 65535",
        (
            '  mooring.toml:6  sslmode = "requre"  must be disable, allow, prefer,'
            " require, verify-ca or verify-full; did you mean 'require'?"
        ),
        (
            "  mooring.toml:4  max_open_conn = 3   unknown option of postgres; did you"
            " mean 'max_open_conns'?"
        ),
        "hint: `mooring config show --sources` lists what is set, and where",
    ]


def test_one_problem_is_one_line(write: Write) -> None:
    write("mooring.yaml", "database:\n  driver: sqlite\n  path: a\n  create: maybe\n")
    assert told() == "mooring.yaml:4: create: expected bool, got str"


def test_a_driver_that_is_misspelt_says_what_there_is(write: Write) -> None:
    write("mooring.toml", '[database]\ndriver = "postgre"\n')
    text = told()
    assert text.startswith(
        "mooring.toml:2: unknown driver 'postgre'; did you mean 'postgres'?; installed:"
    )
    assert "\nhint: set driver to " in text


def test_without_a_driver_a_path_is_told_to_be_none_of_the_assumed_one(
    write: Write,
) -> None:
    write("mooring.toml", '[database]\npath = "app.db"\n')
    first, *lines, hint = told().splitlines()
    assert first == (
        "driver is not set, so 'postgres' is assumed; 2 problems in the store"
        " configuration:"
    )
    assert lines == [
        "  not set         host  postgres requires host or conn_string",
        "  mooring.toml:2  path  unknown option of postgres",
    ]
    assert hint.startswith("hint: set driver: ")
    assert "sqlite" in hint
    assert hint.endswith(" (in a file, or DB_DRIVER in the environment)")


def test_nothing_at_all_says_how_to_begin() -> None:
    first, hint = told().splitlines()
    assert first == (
        "driver is not set, so 'postgres' is assumed; host: postgres requires host or"
        " conn_string"
    )
    assert "DB_DRIVER" in hint


def test_a_url_that_cannot_be_read_is_told_by_its_rule() -> None:
    assert told(env={"DATABASE_URL": "postgres://ada:a/b@db/app"}) == (
        "env DATABASE_URL: conn_string: not a valid URL (value hidden): an '@' stands"
        " where there can be none. A '/', '@', ':' or '#' in the password must be"
        " percent-encoded; or set password instead"
    )
    assert told(env={"DATABASE_URL": "postgresql+asyncpg://ada:pw@db/app"}) == (
        "env DATABASE_URL: the URL is of SQLAlchemy (value hidden): its scheme has a"
        " '+'\nhint: begin it with postgresql: instead"
    )


def test_a_file_without_its_table_says_what_to_write(write: Write) -> None:
    write("mooring.toml", 'path = "app.db"\n')
    assert told() == (
        "mooring.toml: has no table [database], where the settings stand\n"
        "hint: write [database] in a line above the settings"
    )
    write("mooring.toml", '[database]\ndriver = "sqlite"\npath = "app.db"\n')
    assert core.load(env={}).driver == "sqlite"


def test_a_driver_and_a_url_of_another_are_told_together() -> None:
    env = {"DB_DRIVER": "postgres", "DB_URL": "sqlite:app.db", "DB_CREATE": "maybe"}
    assert told(env=env).splitlines()[1:3] == [
        "  env DB_DRIVER  driver  is not sqlite, which env DB_URL names",
        "  env DB_CREATE  create  must be true or false",
    ]


@pytest.mark.parametrize("key", ["s3cr3t!", "a b", "x" * 60])
def test_a_key_that_may_be_a_value_is_not_shown(write: Write, key: str) -> None:
    write("mooring.toml", f'[database]\ndriver = "sqlite"\npath = "a"\n"{key}" = 1\n')
    text = told()
    assert key not in text
    assert text.startswith("mooring.toml:4: unknown option of sqlite")


def test_a_choice_in_capitals_is_suggested_as_it_is_written() -> None:
    env = {"DB_DRIVER": "sqlite", "DB_PATH": "a.db", "DB_SYNCHRONOUS": "FULL"}
    assert told(env=env) == (
        'env DB_SYNCHRONOUS: synchronous = "FULL": must be full, normal or off; did you'
        " mean 'full'?"
    )


def test_a_url_in_the_place_of_a_driver_says_where_it_belongs() -> None:
    assert told(env={"DB_DRIVER": "postgresql://ada:pw@db/app"}) == (
        "env DB_DRIVER: driver: not the name of a driver (value hidden)\n"
        "hint: give a URL by itself, core.open(url); or as url in a file, or DB_URL"
    )
