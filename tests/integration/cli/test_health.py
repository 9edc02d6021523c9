"""``mooring health``, and what every verb says about a target it cannot use."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_migrated_store_is_healthy(run: Run) -> None:
    run("migrate", "up", "sqlite:app.db")
    done = run("health", "sqlite:app.db")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("sqlite  app.db   ok")
    document = run("health", "sqlite:app.db", "--json").document
    assert (document["status"], document["target"]) == ("ok", "app.db")
    names = [check["name"] for check in document["checks"]]
    assert {"ping", "foreign_keys", "migrations"} <= set(names)


def test_a_store_that_is_behind_is_not_healthy_and_is_not_migrated(run: Run) -> None:
    run("migrate", "up", "sqlite:app.db", "--to", "20250603124835")
    for _ in range(2):
        done = run("health", "sqlite:app.db", "--json")
        assert done.code == 1
        failed = [c for c in done.document["checks"] if c["status"] == "failed"]
        assert [c["name"] for c in failed] == ["migrations"]


@pytest.mark.parametrize("verb", [["health"], ["migrate", "status"]])
def test_a_store_that_does_not_exist_is_not_made(
    run: Run, tmp_path: Path, verb: list[str]
) -> None:
    done = run(*verb, "sqlite:new/app.db")
    assert (done.code, done.out) == (7, "")
    assert "does not exist" in done.err
    assert listing(tmp_path) == []


def test_down_does_not_make_a_store_either(run: Run, tmp_path: Path) -> None:
    assert run("migrate", "down", "sqlite:app.db", "--yes").code == 7
    assert listing(tmp_path) == []


def test_a_directory_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = run("health", "sqlite:folder")
    assert done.code == 7
    assert "is a directory" in done.err


def test_a_file_that_is_no_database_keeps_every_byte(run: Run, tmp_path: Path) -> None:
    content = b"a letter, and not a database at all. " * 100
    (tmp_path / "letter.db").write_bytes(content)
    for verb in (["health"], ["migrate", "status"], ["migrate", "up"]):
        done = run(*verb, "sqlite:letter.db", "--json")
        assert done.code == 7
        assert done.document["error"]["code"] == "corrupt_store"
    assert (tmp_path / "letter.db").read_bytes() == content


def test_a_database_that_another_program_keeps_locked_exits_7(
    run: Run, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        done = run("health", "sqlite:app.db", "-o", "connect_timeout=0.1", "--json")
    assert done.code == 7
    assert done.document["error"]["code"] == "store_busy"


def test_an_unknown_driver_exits_4_with_the_nearest_name(run: Run) -> None:
    done = run("health", "sqlit:app.db", "--json")
    assert done.code == 4
    assert done.document["error"]["code"] == "unknown_driver"
    assert "did you mean 'sqlite'" in done.document["error"]["message"]


@pytest.mark.parametrize("target", ["app.db", ":memory:", "/var/lib/app.db", "a b:c"])
def test_what_is_no_url_exits_3(run: Run, target: str) -> None:
    done = run("health", target)
    assert (done.code, done.out) == (3, "")
    assert "not a URL" in done.err


def test_all_problems_of_the_options_are_told_at_once(run: Run) -> None:
    wrong = {
        "busy_timout": "1",
        "max_open_conns": "many",
        "auto_migrate": "maybe",
        "ping_timeout": "0",
        "path": "other.db",
        "driver": "other",
    }
    options = [part for key in wrong for part in ("-o", f"{key}={wrong[key]}")]
    done = run("health", "sqlite:app.db", *options, "--json")
    assert done.code == 3
    error = done.document["error"]
    assert error["code"] == "config"
    assert {problem["key"] for problem in error["problems"]} == set(wrong)
    assert "did you mean 'busy_timeout'" in error["message"]


@pytest.mark.parametrize(
    "option", ["busy_timeout=1", "busy_timeout=.5", "max_open_conns=1", "create=false"]
)
def test_an_option_is_read_as_the_type_that_the_driver_declares(
    run: Run, option: str
) -> None:
    run("migrate", "up", "sqlite:app.db")
    assert run("health", "sqlite:app.db", "-o", option).code == 0


@pytest.mark.parametrize(
    "option",
    [
        "busy_timeout=nan",
        "busy_timeout=1_0",
        "max_open_conns=1.0",
        "max_open_conns=٣",  # a digit, but not one of ours
        "max_open_conns=" + "9" * 5000,
        "auto_migrate=2",
    ],
)
def test_an_option_of_another_type_is_refused(run: Run, option: str) -> None:
    done = run("health", "sqlite:app.db", "-o", option)
    assert done.code == 3
    assert "Traceback" not in done.err
