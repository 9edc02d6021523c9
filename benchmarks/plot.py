"""Plots of groups: horizontal bars in SVG, which read well on light and on dark pages.

Each plot has a background and colours for both, and follows what the reader's system
asks for: so it is one file, and readable even where a page is of the other kind.
"""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.measure import Group
from benchmarks.report import figure_in_words

_WIDTH, _LABELS, _MARGIN = 860, 268, 14
_ROW, _BAR = 22, 14
# What the longest figure needs behind its bar.
_FIGURE = 66

STYLE = """
text { font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 14px; }
.head, .figure { font-size: 11px; fill: #59636e; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.floor { fill: #818b98; }
.ours { fill: #0969da; }
.peer { fill: #d4872c; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .head, .figure { fill: #9198a1; }
  .page { fill: #151b23; stroke: #3d444d; }
  .floor { fill: #7d8590; }
  .ours { fill: #58a6ff; }
  .peer { fill: #e3a14f; }
}
"""
_LEGEND = {"floor": "by hand", "ours": "mooring", "peer": "others"}
# How the names of cases that are no mooring's begin.
_FLOORS = ("by hand", "python ")
_OTHERS = (
    "SQLAlchemy",
    "peewee",
    "aiosqlite",
    "APSW",
    "yoyo",
    "sqlite-utils",
    "Django",
    "DBOS",
    "cattrs",
    "psycopg_pool",
    "asyncpg",
)


def bars(title: str, panels: Sequence[tuple[Group, str]]) -> str:
    """Return a plot as SVG.

    Args:
        title: What it shows.
        panels: Groups with the same cases, each with what its figures are.

    Raises:
        ValueError: The groups have other cases than the first.
    """
    cases = [*panels[0][0].medians, *panels[0][0].not_measured]
    for group, _ in panels:
        if [*group.medians, *group.not_measured] != cases:
            raise ValueError(f"{group.key} has other cases than {panels[0][0].key}")
    top = 62
    height = top + _ROW * len(cases) + 38
    width = (_WIDTH - _LABELS - _MARGIN) / len(panels)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        rect("page", 0.5, 0.5, _WIDTH - 1, height - 1, radius=6),
        text("title", _MARGIN, 26, title),
    ]
    for row, case in enumerate(cases):
        lines.append(text("", _LABELS - 10, top + _ROW * row + 11, case, end=True))
    for number, (group, label) in enumerate(panels):
        left = _LABELS + width * number
        lines.append(text("head", left, 50, label))
        lines += _panel(group, cases, left, top, width - _FIGURE - 8)
    lines += _legend(cases, height - 20)
    return "\n".join([*lines, "</svg>", ""])


def _panel(
    group: Group, cases: Sequence[str], left: float, top: float, width: float
) -> Iterator[str]:
    longest = max(group.medians.values()) or 1.0
    for row, case in enumerate(cases):
        y = top + _ROW * row
        figure = group.medians.get(case)
        length = 0.0 if figure is None else max(width * figure / longest, 1.0)
        if figure is not None:
            yield rect(_role(case), left, y, length, _BAR)
        said = "-" if figure is None else figure_in_words(figure, group.unit)
        yield text("figure", left + length + 5, y + 11, said)


def _legend(cases: Sequence[str], y: float) -> Iterator[str]:
    roles = {_role(case) for case in cases}
    x = float(_LABELS)
    for role, name in _LEGEND.items():
        if role in roles:
            yield rect(role, x, y, 10, 10)
            yield text("head", x + 15, y + 9, name)
            x += 90


def _role(case: str) -> str:
    if case.startswith(_FLOORS):
        return "floor"
    return "peer" if case.startswith(_OTHERS) else "ours"


def rect(
    kind: str, x: float, y: float, width: float, height: float, radius: int = 2
) -> str:
    """Return a rectangle of a kind that the style names."""
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}" rx="{radius}"/>'
    )


def text(kind: str, x: float, y: float, text: str, *, end: bool = False) -> str:
    """Return a line of text that begins at *x*, or ends there."""
    anchor = ' text-anchor="end"' if end else ""
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}"{anchor}>{escape(text)}</text>'
