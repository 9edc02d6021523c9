"""``mooring migrate validate``: files only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "lax", "strict"),
    [
        ("-- +goose Up\nSELECT 1;", 0, 0),
        ("-- +goose Up\nSELECT 'a;\n';", 0, 1),
        ("SELECT 1;", 1, 1),
    ],
    ids=["good", "warning", "error"],
)
def test_the_exit_code_tells_errors_and_strictly_warnings(
    run: Run, tmp_path: Path, text: str, lax: int, strict: int
) -> None:
    (tmp_path / "1_a.sql").write_text(text)

    assert run("migrate", "validate", str(tmp_path)).code == lax
    assert run("migrate", "validate", str(tmp_path), "--strict").code == strict


def test_a_finding_has_its_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("-- +goose Up\nSELECT 1\n")
    (one,) = run("migrate", "validate", str(tmp_path), "--json").document["findings"]

    assert (one["file"], one["line"], one["severity"]) == ("1_a.sql", 2, "error")
