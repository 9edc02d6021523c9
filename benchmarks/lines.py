"""Plots of samples over time: a panel each line, in SVG, for light and dark pages."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.samples import RULES, Sample, Verdict

_WIDTH, _PANEL, _GAP, _LEFT, _TOP = 860, 90, 46, 64, 56
_STYLE = """
text { font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 14px; }
.figure { font-size: 11px; fill: #59636e; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.frame { fill: none; stroke: #d1d9e0; }
.line { fill: none; stroke: #0969da; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .figure { fill: #9198a1; }
  .page { fill: #151b23; stroke: #3d444d; }
  .frame { stroke: #3d444d; }
  .line { stroke: #58a6ff; }
}
"""


def lines(title: str, samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> str:
    """Return the plot of a run as SVG, with what is said of each line beside it."""
    height = _TOP + (_PANEL + _GAP) * len(RULES)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        (
            f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}"'
            f' height="{height - 1}" rx="6"/>'
        ),
        _text("title", 14, 26, title),
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
    yield _text("", _LEFT, top - 7, said)
    yield (
        f'<rect class="frame" x="{_LEFT}" y="{top}" width="{width}" height="{_PANEL}"/>'
    )
    yield f'<polyline class="line" points="{points}"/>'
    yield _text("figure", _LEFT - 6, top + 10, f"{most:.0f}", end=True)
    yield _text("figure", _LEFT - 6, top + _PANEL, "0", end=True)
    yield _text("figure", _LEFT, top + _PANEL + 14, "0 s")
    yield _text("figure", _LEFT + width, top + _PANEL + 14, f"{until:.0f} s", end=True)


def _text(kind: str, x: float, y: float, text: str, *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}"{anchor}>{escape(text)}</text>'
