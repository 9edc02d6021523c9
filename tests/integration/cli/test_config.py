"""``mooring config``, and how every verb comes to its configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

FILE = '[database]\ndriver = "sqlite"\npath = "app.db"\n'


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], None]:
    """Return a function that writes a file into the command's folder."""

    def call(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return call


def sources(run: Run, *args: str, **options: Any) -> dict[str, tuple[object, str]]:
    settings = run("config", "show", "--json", *args, **options).document["settings"]
    return {one["key"]: (one["value"], one["source"]) for one in settings}


def test_every_verb_reads_the_configuration_where_no_target_is_given(
    run: Run, write: Callable[[str, str], None]
) -> None:
    write("mooring.toml", FILE)
    assert run("migrate", "up").code == 0
    assert run("health").out.startswith("sqlite  app.db   ok")
    assert run("migrate", "status", "--check").code == 0
    assert run("migrate", "down", "--yes").code == 0
    assert run("migrate", "status").out.endswith("\nrun: mooring migrate up\n")


def test_flags_are_stronger_than_the_environment_and_the_file(
    run: Run, write: Callable[[str, str], None]
) -> None:
    write("other.toml", FILE + "[profiles.small]\nmax_open_conns = 2\n")
    write("vars", "DB_BUSY_TIMEOUT=2s\n")
    args = ["--config", "other.toml", "--env-file", "vars", "--profile", "small"]
    found = sources(
        run, *args, "-o", "path=b.db", "--driver", "sqlite", env={"DB_PATH": "c.db"}
    )
    assert found["driver"] == ("sqlite", "--driver")
    assert found["path"] == ("b.db", "-o path")
    assert found["busy_timeout"] == (2.0, "vars:1 DB_BUSY_TIMEOUT")
    assert found["max_open_conns"] == (2, "other.toml:5")
    assert sources(run, *args, "--url", "sqlite:u.db")["path"] == ("u.db", "--url")


def test_a_target_that_is_a_url_is_the_whole_configuration(
    run: Run, write: Callable[[str, str], None]
) -> None:
    write("mooring.toml", "broken")
    found = sources(run, "sqlite:t.db", env={"DB_PATH": "x", "DB_CREATE": "maybe"})
    assert found["path"] == ("t.db", "TARGET")
    done = run("config", "show", "sqlite:t.db", "--profile", "x")
    assert done.code == 2
    assert "leave it out, or --profile" in done.err


def test_a_target_may_be_a_profile(run: Run, write: Callable[[str, str], None]) -> None:
    write("mooring.toml", FILE + '[profiles.test]\nurl = "sqlite:test.db"\n')
    assert run("migrate", "up", "test").out.endswith("test.db: 4 migrations applied\n")
    assert run("health", "--profile", "test").code == 0
    missing = run("health", "tset")
    assert missing.code == 3
    assert "did you mean 'test'?" in missing.err
    assert "its profiles: test" in missing.err


def test_show_is_a_table_and_masks_secrets(run: Run) -> None:
    env = {"DATABASE_URL": "postgresql://ada:hunter2@db/app"}
    plain = run("config", "show", env=env)
    assert (plain.code, plain.err) == (0, "")
    assert "hunter2" not in plain.out
    assert "DATABASE_URL" not in plain.out
    assert "default" not in plain.out
    told = run("config", "show", "--sources", env=env).out
    (line,) = (one for one in told.splitlines() if one.startswith("conn_string "))
    assert line.split() == ["conn_string", "***", "env", "DATABASE_URL"]


def test_what_is_wrong_is_shown_beside_what_was_given(
    run: Run, write: Callable[[str, str], None]
) -> None:
    write("mooring.toml", FILE + "max_open_conn = 3\n")
    shown = run("config", "show")
    checked = run("config", "check")
    for done in (shown, checked):
        assert done.code == 3
        assert done.err.startswith("error: mooring.toml:4: max_open_conn = 3: unknown")
    assert "max_open_conn  3" in shown.out
    assert checked.out == ""
    problem = run("config", "check", "--json").document["error"]["problems"][0]
    assert problem["source"] == "mooring.toml:4"
    assert (problem["key"], problem["value"]) == ("max_open_conn", "3")


def test_check_says_what_has_no_effect(run: Run) -> None:
    env = {"DB_DRIVER": "sqlite", "DB_PATH": "a.db", "DB_PATHH": "b.db"}
    done = run("config", "check", env=env)
    assert done.code == 0
    assert done.out.startswith("sqlite   ok   2 of ")
    assert done.err.startswith("warning: env DB_PATHH is ignored")
    assert len(run("config", "check", "--json", env=env).document["warnings"]) == 1


@pytest.mark.parametrize("verb", [["health"], ["config", "check"]])
@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({}, 2),
        ({"DB_DRIVER": "sqlite"}, 3),
        ({"DB_DRIVER": "sqlit"}, 4),
        ({"DB_CONN_STRING_FILE": "none"}, 3),
        ({"DB_CONNECT_TIMEOUT": "soon"}, 3),
        ({"MOORING_CONFIG": "none.toml"}, 3),
    ],
)
def test_a_configuration_that_cannot_be_used_has_its_exit_code(
    run: Run, verb: list[str], env: dict[str, str], code: int
) -> None:
    done = run(*verb, env=env)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_status_says_how_to_name_the_store_again(
    run: Run, write: Callable[[str, str], None]
) -> None:
    write("mooring.toml", FILE)
    done = run("migrate", "status", "--url", "sqlite:n.db", "-o", "create=true")
    assert done.code == 7  # `status` makes no store, whatever else is asked for
    run("migrate", "up", "--url", "sqlite:n.db", "--to", "20250603124835")
    told = run("migrate", "status", "--url", "sqlite:n.db").out
    assert told.endswith("run: mooring migrate up --url sqlite:n.db\n")
