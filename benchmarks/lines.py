"""Plots of samples over time: a panel each line, in SVG, for light and dark pages."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.plot import STYLE, rect, text
from benchmarks.samples import RULES, Sample, Verdict

_WIDTH, _PANEL, _GAP, _LEFT, _TOP = 860, 90, 46, 64, 56
_STYLE = (
    STYLE
    + """
.frame { fill: none; stroke: #818b98; stroke-width: 0.5; }
.line { fill: none; stroke: #0969da; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  .line { stroke: #58a6ff; }
}
"""
)


def lines(title: str, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> str:
    """Return the plot of a run as SVG, with what is said of each line beside it."""
    height = _TOP + (_PANEL + _GAP) * len(RULES)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        rect("page", 0.5, 0.5, _WIDTH - 1, height - 1, radius=6),
        text("title", 14, 26, title),
    ]
    for number, (name, verdict) in enumerate(zip(RULES, verdicts, strict=True)):
        top = _TOP + (_PANEL + _GAP) * number
        parts += _panel(name, samples, verdict, top)
    return "\n".join([*parts, "</svg>", ""])


def _panel(
    name: str, samples: Sequence[Sample], verdict: Verdict, top: float
) -> Iterator[str]:
    # From zero: a line that wiggles in its last percent looks as flat as it is.
    most = max(verdict.largest * 1.15, 1.0)
    until = samples[-1].at or 1.0
    width = _WIDTH - _LEFT - 20
    points = " ".join(
        f"{_LEFT + width * one.at / until:.1f},"
        f"{top + _PANEL * (1 - getattr(one, name) / most):.1f}"
        for one in samples
    )
    word = "flat" if verdict.flat else "NOT flat"
    said = (
        f"{verdict.title}: {word}; rose {verdict.rise:+.2f} in the second half"
        f" (allowed {verdict.allowed:.2f}), largest {verdict.largest:.1f}"
    )
    yield text("", _LEFT, top - 7, said)
    yield rect("frame", _LEFT, top, width, _PANEL)
    yield f'<polyline class="line" points="{points}"/>'
    yield text("figure", _LEFT - 6, top + 10, f"{most:.0f}", end=True)
    yield text("figure", _LEFT - 6, top + _PANEL, "0", end=True)
    yield text("figure", _LEFT, top + _PANEL + 14, "0 s")
    yield text("figure", _LEFT + width, top + _PANEL + 14, f"{until:.0f} s", end=True)
