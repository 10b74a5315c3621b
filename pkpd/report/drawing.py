"""Look of every figure: a color-blind-safe palette, quiet axes, and inline SVG that loads nothing from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

# Okabe and Ito 2008: eight colors that stay apart under the common forms of color blindness.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, INK, GRAY, PALE = "#CC79A7", "#56B4E9", "#222222", "#8A8F98", "#E8EAED"
DRUG_COLORS = (ORANGE, BLUE, GREEN, PURPLE, SKY, VERMILION)

WIDTH_IN = 9.0  # drawn at 100 px per inch: readable at 900 px
FONTS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.linewidth": 0.8,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,  # names come from files; a dollar sign in one is a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "pkpd",
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A finished figure.

    Attributes
    ----------
    name
        Short name; it prefixes every id inside the SVG, so that figures do not clash on one page.
    svg
        Inline SVG element, without prologue or metadata.
    reading
        What the figure shows, in words, computed from the same numbers.
    """

    name: str
    title: str
    svg: str
    reading: str


@contextmanager
def figure(height_in: float, *, width_in: float = WIDTH_IN) -> Iterator[Figure]:
    """Yield an empty figure in the style of the report, without the state that pyplot keeps."""
    with mpl.rc_context(STYLE):
        canvas = FigureCanvasAgg(Figure(figsize=(width_in, height_in), dpi=100))
        yield canvas.figure


def finish(drawn: Figure, *, name: str, title: str, reading: str) -> Drawing:
    """Turn a figure into inline SVG; the same numbers give the same bytes."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Drawing(name=name, title=title, svg=_inline(stream.getvalue(), name, title), reading=reading)


def _inline(text: str, name: str, title: str) -> str:
    svg = text[text.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", FONTS, svg)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()  # type: ignore[union-attr]
    svg = svg.replace(f'width="{width}pt" height="{height}pt"', 'width="100%"', 1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Median and the limits of the central 90 % of draws along the last axis, by position."""

    low: NDArray[np.float64]
    median: NDArray[np.float64]
    high: NDArray[np.float64]


def band(values: NDArray[np.float64]) -> Band:
    """Summarize draws [sample, position]; a position without any finite draw is NaN."""
    low, median, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
    return Band(low=low, median=median, high=high)


def draw_band(
    axes: Axes, x: NDArray[np.float64], shown: Band, *, color: str, label: str = "", alpha: float = 0.22
) -> None:
    """Fill the 90 % band and draw the median over it."""
    axes.fill_between(x, shown.low, shown.high, color=color, alpha=alpha, linewidth=0)
    axes.plot(x, shown.median, color=color, linewidth=1.8, label=label)


def logarithmic(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers at its ticks."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.0, 0.4)))


def drug_color(drug: str, drugs: Sequence[str]) -> str:
    """Color of a drug: the same in every figure of a report."""
    return DRUG_COLORS[sorted(drugs).index(drug) % len(DRUG_COLORS)]


def wrapped(text: str, width: int) -> str:
    """Break a long name at spaces or hyphens, for a panel title."""
    lines = [""]
    for part in re.split(r"(?<=[ \-])", text):
        if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip(" ") for line in lines)
