"""The order contrast: does it matter which drug comes first, and how much of that is the order itself?"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from pkpd.domain.order import Contrast, Matching, Order, OrderContrast
from pkpd.report import drawing
from pkpd.report.drawing import Drawing

COLORS = {Matching.MATCHED: drawing.BLUE, Matching.ATTRIBUTABLE: drawing.GREEN, Matching.RAW: drawing.GRAY}


def order_figure(order: OrderContrast) -> Drawing:
    """Median and 90 % interval of every contrast; left of zero favors the inducer first."""
    rows = _sorted(order.contrasts)
    with drawing.figure(0.34 * len(rows) + 1.25) as figure:
        axes = figure.add_subplot()
        for height, contrast in enumerate(rows):
            _draw_contrast(axes, height, contrast)
        axes.axvline(0.0, color=drawing.INK, linewidth=0.9)
        axes.set_yticks(range(len(rows)), [_label(contrast) for contrast in rows])
        axes.set_ylim(len(rows) - 0.4, -0.9)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        reach = 1.08 * max(max(abs(row.lower), abs(row.upper)) for row in rows) or 1.0
        axes.set_xlim(-reach, reach)
        axes.set_xlabel("difference of the log statistic, new patients (median, 90 % interval)")
        axes.text(-0.02 * reach, -0.55, f"{order.inducer} first is better", ha="right", va="center", fontsize=8.5)
        axes.text(0.02 * reach, -0.55, "the other is better", ha="left", va="center", fontsize=8.5)
        return drawing.finish(figure, name="order", title="Does the order matter?", reading=_reading(order, rows))


def _sorted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    matchings = list(COLORS)
    statistics = list(dict.fromkeys(contrast.statistic for contrast in contrasts))
    return sorted(
        contrasts,
        key=lambda each: (
            statistics.index(each.statistic),
            each.second is not Order.PARTNER_FIRST,
            matchings.index(each.matching),
        ),
    )


def _draw_contrast(axes: Axes, height: int, contrast: Contrast) -> None:
    color = COLORS[contrast.matching]
    axes.plot([contrast.lower, contrast.upper], [height, height], color=color, linewidth=3, solid_capstyle="round")
    axes.plot([contrast.median], [height], "o", color=color, markersize=7, markeredgecolor="white")
    axes.annotate(
        f"P = {contrast.probability_first_better:.2f}",
        (1.005, height),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=color,
        va="center",
    )


def _label(contrast: Contrast) -> str:
    against = "vs concurrent" if contrast.second is Order.CONCURRENT else f"vs {contrast.second}"
    return f"{contrast.statistic.replace('_', ' ')} {against}, {contrast.matching}"


def _reading(order: OrderContrast, rows: Sequence[Contrast]) -> str:
    leading = next((row for row in rows if row.matching is Matching.MATCHED), rows[0])
    matched = f", {order.inducer} alone with the same timing subtracted" if leading.matching is Matching.MATCHED else ""
    known = "excludes" if leading.excludes_zero else "includes"
    text = (
        f"At equal doses, {order.inducer} before {order.partner} against {leading.second} changes the logarithm of "
        f"{leading.statistic.replace('_', ' ')} by {leading.median:+.2f} (90 % interval {leading.lower:+.2f} to "
        f"{leading.upper:+.2f}, which {known} zero{matched}); it is better for "
        f"{100 * leading.probability_first_better:.0f} % of {order.draws} simulated patients."
    )
    same = (leading.statistic, leading.second)
    for row in rows:
        if row.matching is not leading.matching and (row.statistic, row.second) == same:
            word = "Unmatched" if row.matching is Matching.RAW else "The part that needs senolysis"
            text += f" {word}: {row.median:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})."
    return text
