"""What a program that logs is told when a store is opened."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import mooring_sqlite
import pytest
import structlog
from mooring import core

KNOWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def opened(caplog: pytest.LogCaptureFixture, config: Any, **options: Any) -> list[Any]:
    caplog.clear()
    with caplog.at_level(logging.INFO, "mooring"):
        core.open(config, **options).close()
    return [*caplog.records]


def test_one_line_says_what_was_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(tmp_path / "app.db")
    first = opened(caplog, {"driver": "sqlite", "path": path})
    (second,) = opened(caplog, f"sqlite:{path}")

    events = [record.event_name for record in first]
    assert events == [*["migration.applied"] * 4, "store.opened"]
    assert [(r.applied, r.settings_from) for r in (first[-1], second)] == [
        (4, "a mapping"),
        (0, "a URL"),
    ]
    assert second.name == "mooring.core"
    assert second.levelname == "INFO"
    assert (second.distribution, second.distribution_version) == (
        "mooring_sqlite",
        mooring_sqlite.__version__,
    )
    assert second.getMessage() == (
        f"opened sqlite {path}, v20250711163858 (4/4), settings from a URL"
    )
    assert (second.driver, second.target, second.version, second.migrations) == (
        "sqlite",
        path,
        20250711163858,
        "v20250711163858 (4/4)",
    )


def test_a_store_whose_migrations_nobody_looked_at_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (record,) = opened(caplog, "sqlite::memory:", migrate="skip")

    assert "migrations not looked at" in record.getMessage()
    assert record.version is None


def test_nothing_is_logged_below_the_level_that_the_program_sets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "mooring"):
        core.open("sqlite::memory:").close()

    assert caplog.records == []


def test_fields_are_json_and_none_is_one_of_loggings_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for record in opened(caplog, "sqlite::memory:"):
        fields = {k: v for k, v in vars(record).items() if k not in KNOWN}
        assert {"event_name", "driver", "target", "version"} <= fields.keys()
        json.dumps(fields)


def test_structlog_shows_the_fields_without_help(tmp_path: Path) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logger = logging.getLogger("mooring")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        core.open("sqlite::memory:").close()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)

    last = json.loads(out.getvalue().splitlines()[-1])
    assert last["event_name"] == "store.opened"
    assert last["event"].startswith("opened sqlite :memory:")
    assert last["driver"] == "sqlite"


@pytest.mark.parametrize(
    ("before", "imported"), [("", "False"), ("import logging", "True")]
)
def test_a_program_that_does_not_log_does_not_import_logging(
    before: str, imported: str
) -> None:
    code = (
        f"{before}\nimport sys\nfrom mooring import core\n"
        "core.open('sqlite::memory:').close()\nprint('logging' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    # Nobody set logging up, so nothing is written.
    assert (done.stdout, done.stderr) == (f"{imported}\n", "")
