"""``mooring driver check``: the contract on good and bad drivers that are installed."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

Run = Callable[..., Any]

CANARY = "c4nary-Zx9"

# SQLite's driver under another name, with a secret and one planted defect.
FAULTY = """
import time
import attrs
import mooring_sqlite
from mooring import core
from mooring_sqlite import SqliteConfig, SqliteStore


@attrs.frozen(kw_only=True)
class FaultyConfig(SqliteConfig):
    driver: str = attrs.field(default="faulty", init=False)
    token: core.Secret = core.option("", "A secret.", secret=True)
    defect: str = core.option("none", "What is wrong with it.")


class FaultyStore(SqliteStore):
    def run(self, fn, *, attempts=10):
        if self.config.defect == "leaks":
            raise ValueError(f"refused with {self.config.token.reveal()}")
        if self.config.defect == "hangs" and attempts == 1:
            time.sleep(600)
        if self.config.defect == "crashes":
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(fn, attempts=attempts)


@core.hookimpl
def driver_info():
    found = mooring_sqlite.driver_info()
    return found._replace(name="faulty", config_class=FaultyConfig)


@core.hookimpl
def open_store(config):
    store = mooring_sqlite.open_store(config)
    store.__class__ = FaultyStore
    return store


health_check = mooring_sqlite.health_check
migrations_dir = mooring_sqlite.migrations_dir
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Install the faulty driver; return the environment that has it."""
    site = tmp_path / "site"
    info = site / "faulty-3.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: faulty\nVersion: 3.1\n"
    )
    (info / "entry_points.txt").write_text("[mooring.drivers]\nfaulty = faulty\n")
    (site / "faulty.py").write_text(FAULTY)
    return {"PYTHONPATH": str(site)}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs that the test starts make their temporary files; empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_a_driver_with_a_path_is_checked_without_any_option(
    run: Run, temporary: Path
) -> None:
    done = run("driver", "check", "sqlite", "--group", "run", "--group", "savepoints")

    assert (done.code, done.err) == (0, ""), done.err
    assert done.out.startswith("sqlite (mooring_sqlite ")
    assert "verdict: incomplete" in done.out
    assert "  savepoints" in done.out
    assert "  deadlines" not in done.out
    assert list(temporary.iterdir()) == []


def test_a_whole_run_ends_in_a_verdict_and_names_what_was_no_part_of_it(
    run: Run, temporary: Path
) -> None:
    done = run("driver", "check", "keyvalue", "--json")
    (found,) = done.document["runs"]
    groups = {group["name"]: group for group in found["groups"]}
    ran = {name for name, group in groups.items() if group["passed"]}
    left_out = {name for name in groups if groups[name]["not_applicable"]}

    assert (done.code, done.document["verdict"]) == (0, "conformant"), done.out
    assert (found["complete"], found["sql"], found["findings"]) == (True, False, [])
    assert ran == {"identity", "config", "secrets", "lifecycle", "health", "traces"}
    assert {"schema", "savepoints", "migrator", "crash"} <= left_out - ran
    assert list(temporary.iterdir()) == []


def test_a_whole_run_on_sqlite_ends_in_its_verdict(
    run: Run, loop: Callable[[int, int], tuple[int, Random]]
) -> None:
    whole, _ = loop(0, 1)
    groups = () if whole else ("--group", "identity")
    done = run("driver", "check", "sqlite", "--json", *groups)
    (found,) = done.document["runs"]

    assert done.code == 0, done.out
    assert found["findings"] == []
    assert found["complete"] == bool(whole)
    assert found["verdict"] == ("conformant" if whole else "incomplete")


def test_a_store_without_sql_needs_a_placeholder(run: Run) -> None:
    done = run("driver", "check", "keyvalue", "-o", "path=values")

    assert done.code != 0
    assert "every test would get the same store" in done.err


def test_what_the_command_line_cannot_name_is_not_applicable(run: Run) -> None:
    done = run("driver", "check", "sqlite", "--group", "traces", "--json")
    (found,) = done.document["runs"]

    assert done.code == 0
    assert found["counts"]["not_applicable"] == 1
    assert found["findings"] == []


def test_the_json_is_the_document_of_the_report(run: Run) -> None:
    done = run("driver", "check", "sqlite", "--group", "run", "--json")
    (found,) = done.document["runs"]

    assert list(done.document) == ["schema", "verdict", "core", "python", "runs"]
    assert (found["driver"], found["verdict"]) == ("sqlite", "incomplete")
    assert found["counts"]["passed"] >= 20
    assert found["counts"]["failed"] == 0
    assert found["counts"]["not_run"] > 400
    assert found["findings"] == []


def test_a_broken_driver_is_not_conformant_and_the_failing_tests_are_explained(
    run: Run, installed: dict[str, str]
) -> None:
    args = ("driver", "check", "faulty", "--group", "run", "-o", f"token={CANARY}")
    done = run(*args, "-o", "defect=leaks", env=installed)

    assert done.code == 1
    assert done.out.startswith("faulty (faulty 3.1) ")
    assert "verdict: not conformant" in done.out
    assert "FAILED  run: one attempt is no retry" in done.out
    assert "means  the driver does not do this" in done.out
    assert "asks   ``store.run``: a serializable transaction" in done.out
    assert "read   docs/explanation/rules.md#isolation-has-two-words" in done.out
    assert "test   test_one_attempt_is_no_retry" in done.out
    assert CANARY not in done.out + done.err


def test_no_secret_is_in_the_json_of_a_broken_driver(
    run: Run, installed: dict[str, str]
) -> None:
    args = ("driver", "check", "faulty", "--group", "run", "-o", f"token={CANARY}")
    done = run(*args, "-o", "defect=leaks", "--json", env=installed)
    (found,) = done.document["runs"]

    assert done.code == 1
    assert CANARY not in done.out + done.err
    messages = {finding["message"] for finding in found["findings"]}
    assert "ValueError: refused with ***" in messages


def test_a_test_that_hangs_fails_and_the_others_go_on(
    run: Run, installed: dict[str, str]
) -> None:
    args = ("driver", "check", "faulty", "--group", "run", "-o", "defect=hangs")
    done = run(*args, "--timeout", "1.5", "--json", env=installed)
    counts = done.document["runs"][0]["counts"]
    messages = [f["message"] for f in done.document["runs"][0]["findings"]]

    assert done.code == 1
    assert counts["passed"] > 10
    assert any("did not end within 1.5 seconds" in message for message in messages)


def test_a_driver_that_ends_its_process_is_an_error(
    run: Run, installed: dict[str, str]
) -> None:
    args = ("driver", "check", "faulty", "--group", "run", "-o", "defect=crashes")
    done = run(*args, "--json", env=installed)

    assert done.code == 1
    assert "broke off (exit code -9)" in done.document["error"]["message"]
    assert done.document["error"]["hint"]


@pytest.mark.parametrize("table", ["", "[database]\n"], ids=["top", "table"])
def test_options_come_from_a_file(run: Run, tmp_path: Path, table: str) -> None:
    path = 'path = "{tmp}/{unique}.db"'
    text = f'{table}driver = "sqlite"\n{path}\nmax_open_conns = 1\n'
    (tmp_path / "check.toml").write_text(text)
    args = (
        "driver",
        "check",
        "sqlite",
        "--config",
        "check.toml",
        "--group",
        "isolation",
    )
    done = run(*args, "--json")

    (found,) = done.document["runs"]
    assert done.code == 0
    assert "concurrent_snapshots" not in found["capabilities"]["present"]
    assert found["counts"]["not_applicable"] > 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["nope"], 4, "unknown driver 'nope'"),
        (["sqlite", "--group", "runs"], 2, "there is no group runs; there are"),
        (["sqlite", "sqlite:app.db"], 3, "every test would get the same store"),
        (["sqlite", "postgres://h/d"], 2, "TARGET is of the driver postgres"),
        (["postgres"], 2, "the driver postgres has no option path"),
        (["sqlite", "-o", "max_open_conns=none"], 3, "max_open_conns: must be a whole"),
        (["sqlite", "-o", "max_open_conn=1"], 3, "did you mean 'max_open_conns'"),
        (["sqlite", "-o", "path=/dev/null/{unique}"], 7, "/dev/null"),
        (["sqlite", "--config", "none.toml"], 3, "none.toml: cannot be read"),
        (["sqlite", "--config", "bad.toml"], 3, "bad.toml: is not TOML"),
        (["sqlite", "--config", "other.toml"], 3, "driver: is not sqlite"),
        (["sqlite", "--config", "flat.toml"], 3, "database: must be a table"),
        (["sqlite", "sqlite:{tmp}/a", "--config", "bad.toml"], 2, "exclude each other"),
        (["sqlite", "--timeout", "0"], 2, "above 0"),
    ],
)
def test_what_cannot_be_checked_is_one_clear_error(
    run: Run, tmp_path: Path, args: list[str], code: int, says: str
) -> None:
    (tmp_path / "bad.toml").write_text("path = \n")
    (tmp_path / "other.toml").write_text('driver = "postgres"\n')
    (tmp_path / "flat.toml").write_text('database = "app.db"\n')
    done = run("driver", "check", *args)

    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("error: ")
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_store_that_is_in_use_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    assert run("migrate", "up", "sqlite:app.db").code == 0
    before = (tmp_path / "app.db").read_bytes()
    done = run("driver", "check", "sqlite", "sqlite:app.db")

    assert done.code == 3
    assert "the store is in use" in done.err
    assert (tmp_path / "app.db").read_bytes() == before


def test_a_store_in_memory_needs_no_placeholder(run: Run) -> None:
    done = run("driver", "check", "sqlite", "sqlite::memory:", "--group", "savepoints")

    assert done.code == 0, done.err
    assert "no capability" not in done.out


def test_a_projects_own_settings_of_pytest_change_nothing(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    env = {"PYTEST_ADDOPTS": "--no-such-option", "PYTEST_PLUGINS": "no_such_plugin"}
    done = run("driver", "check", "sqlite", "--group", "savepoints", env=env)

    assert done.code == 0, done.err
    made = {"pytest.ini", "conftest.py"}
    assert {entry.name for entry in tmp_path.iterdir()} <= made


def test_without_what_the_extra_brings_it_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "pytest" else super().find_spec(name, path, target)

sys.meta_path[:] = [f for f in sys.meta_path if f is not PathFinder] + [Without]
sys.argv[1:] = ["driver", "check", "sqlite"]
from mooring.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stderr == (
        "error: the contract needs pytest\n"
        "hint: install mooring[testing], which brings what it needs, from where"
        " mooring came\n"
    )


def test_progress_goes_to_a_terminal_a_line_for_each_group(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mooring.testing", "sqlite"),
            *("--group", "savepoints", "--group", "run"),
        ],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert done.returncode == 0
    assert b"verdict: incomplete" in done.stdout
    assert "\r  savepoints             1/16\r" in shown
    assert "\r  savepoints            16/16\r\n" in shown
    assert shown.index("savepoints") < shown.index("  run")


def test_an_interrupt_ends_it_with_all_that_it_started(
    tmp_path: Path, temporary: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mooring.cli", "driver", "check", "sqlite", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not any(temporary.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_postgres_gets_a_schema_for_each_test(
    run: Run, postgres_server: Any, postgres_database: str
) -> None:
    options = {**postgres_server.params(postgres_database), "schema": "{unique}"}
    words = [word for key, text in options.items() for word in ("-o", f"{key}={text}")]
    done = run("driver", "check", "postgres", *words, "--group", "savepoints", "--json")
    (found,) = done.document["runs"]

    assert done.code == 0, done.out
    assert found["driver"] == "postgres"
    assert found["counts"]["passed"] >= 16
