"""What the pages say of speed is what one run measured, and nothing else."""

import importlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = DOCS / "explanation" / "benchmarks.md"

_NUMBER = r"(\d[\d.,]*|two|three|four|five|six|ten|a hundred|twice|half|thrice)"
# A comparison of speeds, or a figure that somebody must have measured.
_CLAIM = re.compile(
    rf"{_NUMBER}(-fold)?\s*(times|x|\xd7|%|per\s?cent)?\s+(as\s+)?(fast|slow|quick)(er)?\b"
    rf"|{_NUMBER}\s*(times|x|\xd7|%|per\s?cent)\s+(of\s+)?(the\s+)?(throughput|speed)"
    rf"|{_NUMBER}\s*(us|µs|μs|microseconds)\b"
    r"|\d[\d.,]*\s*(\w+\s+){0,2}(a\s+second|per\s+s(econd)?|/\s?s)\b"
)
# What is said, not shown: no code, and nothing in backticks.
_CODE = re.compile(r"^```.*?^```|^( {4}).*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)

TABLE = """

| case | median |
| - | - |
| `by hand` | 2.0 us |
| `mooring` | 3.0 us |
| `peer` | not measured: it is not installed |

"""


@pytest.fixture(scope="module")
def publish() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield importlib.import_module("benchmarks.publish")


@pytest.fixture(scope="module")
def results(publish: Any) -> Any:
    return publish.read()


@pytest.fixture
def few(publish: Any) -> Any:
    """Results as small as they can be."""
    group = {
        "key": "read",
        "name": "a read",
        "rounds": 3,
        "unit": "seconds",
        "medians": {"by hand": 0.000002, "mooring": 0.000003},
        "compared": "ratio",
        "comparisons": [
            {
                "case": "mooring",
                "against": "by hand",
                "figure": 1.5,
                "per_round": 1.5,
                "bar": 1.2,
                "met": False,
            }
        ],
        "not_measured": {"peer": "it is not installed"},
    }
    machine = {
        "cpus": 2,
        "load": 0.5,
        "minutes": 8.5,
        "system": "Linux x86_64",
        "python": "cpython 3.11",
        "sqlite": "3.40.1",
        "packages": {"mooring": "0.1.0", "other": None},
    }
    content = {"at": "2026-01-02T03:04:05", "machine": machine, "groups": [group]}
    return publish.Results(json.loads(json.dumps(content)))


def claims(text: str) -> list[str]:
    said = _CODE.sub(" ", text)
    return [" ".join(found.group().split()) for found in _CLAIM.finditer(said)]


# -- the pages ------------------------------------------------------------------


def test_every_figure_in_a_page_is_what_was_measured(
    publish: Any, results: Any
) -> None:
    quoting = []
    for page in map(Path, publish.pages()):
        text = page.read_text(encoding="utf-8")
        if publish.fill(text, results) != text:
            pytest.fail(f"{page.relative_to(ROOT)}: run python -m benchmarks.publish")
        if "<!-- bench " in text:
            quoting.append(page.name)

    assert {"README.md", "benchmarks.md", "durability.md"} <= set(quoting)


def test_no_comment_with_text_behind_it_begins_a_line(publish: Any) -> None:
    """Markdown would end the paragraph there, and begin a block of HTML."""
    for page in map(Path, publish.pages()):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"^\s*<!-- bench (ratio|median)", text, re.MULTILINE), page


def test_no_page_quotes_a_speed_that_no_comment_vouches_for(publish: Any) -> None:
    found = {
        str(Path(page).relative_to(ROOT)): claims(publish.unmarked(text))
        for page in publish.pages()
        for text in [Path(page).read_text(encoding="utf-8")]
    }

    assert len(found) > 20
    assert {page: said for page, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "claim",
    [
        "It is 3 times faster than the others",
        "2.5x as fast",
        "reads are 20 % slower",
        "writes twice as fast",
        "half as fast as psycopg",
        "a read costs 6.5 us",
        "12 microseconds for a row",
        "writes 4000 transactions a second",
        "and 4000 per second",
        "at 0.95 times the throughput",
    ],
)
def test_a_speed_is_recognized(claim: str) -> None:
    assert claims(f"Some text. {claim}, and more.")


@pytest.mark.parametrize(
    "text",
    [
        "after half a second at first and then twice as long each time",
        "`3 times faster` is what they say",
        "busy_timeout is 5 s, and 2 of 24 readers are lent",
        "an error names the line, up to five times",
        "<!-- bench ratio; a; b; c -->3.00<!-- /bench --> times as fast",
    ],
)
def test_what_is_no_speed_is_left_alone(publish: Any, text: str) -> None:
    assert claims(publish.unmarked(text)) == []


def test_the_page_shows_every_plot_as_it_follows_from_the_file(
    publish: Any, results: Any
) -> None:
    expected = publish.plots(results)
    shown = re.findall(r"!\[[^\]]{20,}\]\(benchmarks/([\w-]+\.svg)\)", PAGE.read_text())
    files = {file.name: file for file in (PAGE.parent / "benchmarks").iterdir()}

    assert sorted(shown) == sorted(expected) == sorted(files)
    for name, svg in expected.items():
        assert files[name].read_text(encoding="utf-8") == svg


def test_plots_read_well_on_light_and_on_dark_pages(publish: Any, results: Any) -> None:
    for svg in publish.plots(results).values():
        root = ET.fromstring(svg)  # noqa: S314 - our own text
        style = root.findtext("{*}style") or ""
        light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
        kinds = {rect.get("class") for rect in root.findall(".//{*}rect")}
        kinds |= {text.get("class") for text in root.findall(".//{*}text")} - {
            None,
            "title",
        }

        assert "page" in kinds  # a ground of its own, whatever the page's is
        for kind in kinds:
            assert f".{kind}" in light
            assert f".{kind}" in dark
        assert root.get("role") == "img"
        assert root.findtext("{*}title")


def test_what_was_not_measured_says_why(results: Any) -> None:
    for group in results.groups.values():
        for case, reason in group.not_measured.items():
            assert case not in group.medians
            assert reason


def test_the_file_names_no_place(publish: Any) -> None:
    text = Path(publish.RESULTS).read_text(encoding="utf-8")
    assert re.findall(r"/(home|root|tmp|work|usr)\b|https?://", text) == []


# -- how a comment is filled -----------------------------------------------------


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("ratio; read; mooring; by hand", "1.50"),
        ("ratio; read; peer; by hand", "not measured"),
        ("median; read; mooring", "3.0 us"),
        ("median; read; peer", "not measured"),
        ("table; read", TABLE),
    ],
)
def test_a_comment_is_filled(publish: Any, few: Any, what: str, text: str) -> None:
    page = f"It is <!-- bench {what} -->old<!-- /bench -->, says <!-- a comment -->."
    filled = publish.fill(page, few)

    assert filled == page.replace("old", text)
    assert publish.fill(filled, few) == filled
    assert publish.unmarked(page) == "It is , says <!-- a comment -->."


def test_a_goal_that_was_missed_is_said_to_be(publish: Any, few: Any) -> None:
    for kind in ("bars", "tables"):
        text = publish.fill(f"<!-- bench {kind} --><!-- /bench -->", few)
        assert "| `mooring / by hand` | 1.50 | ≤ 1.20 | **missed** |" in text
    assert "| `peer` | not measured: it is not installed |" in text
    assert "other" not in publish.fill("<!-- bench machine --><!-- /bench -->", few)


@pytest.mark.parametrize(("load", "said"), [(0.5, False), (1.0, True)])
def test_the_page_says_when_the_machine_was_not_free(
    publish: Any, few: Any, load: float, said: bool
) -> None:
    few.machine["load"] = load
    text = publish.fill("<!-- bench machine --><!-- /bench -->", few)
    assert ("take these figures as rough" in text) == said


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("speed; read; mooring", "no kind 'speed'; there are ratio"),
        ("median; write; mooring", "no group 'write'; there are read"),
        ("table; write", "no group 'write'; there are read"),
        ("median; read; us", "read has no 'us', but by hand, mooring"),
    ],
)
def test_a_comment_that_names_nothing_is_refused(
    publish: Any, few: Any, what: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        publish.fill(f"<!-- bench {what} -->1<!-- /bench -->", few)
