"""Figures of the simulated patients: exposure and receptor occupancy, tumor and neutrophils, schedule by schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pkpd.report import drawing
from pkpd.report.drawing import Drawing
from pkpd.report.trajectories import PLASMA, Trajectories

SEVERE, MODERATE = 0.5, 1.0  # 1e9/L: limits of neutropenia grade 4 and grade 3 (CTCAE 5.0)
EFFECTS = {"occupancy": "EGFR occupied", "rb_activation": "effect on RB, of its maximum"}
MOST_PANELS = 9


def exposure_figure(shown: Sequence[Trajectories]) -> Drawing:
    """Plasma concentration of each drug and what it does to its target; first schedule against one other."""
    top, others = shown[0], shown[1:2]
    drugs = sorted({drug for each in shown[:2] for drug in each.drugs})
    effects = [name for name in EFFECTS if top.has(name)]
    rows = len(drugs) + len(effects)
    with drawing.figure(1.75 * rows + 0.4) as figure:
        column = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        # The top schedule comes last: where the two agree, it lies on the other.
        pairs = [*((other, drawing.ORANGE) for other in others), (top, drawing.BLUE)]
        for axes, drug in zip(column, drugs, strict=False):
            _draw_over_time(axes, pairs, f"{PLASMA}{drug}")
            unit = top.units(f"{PLASMA}{drug}") if top.has(f"{PLASMA}{drug}") else "mg/L"
            axes.set_title(f"{drug} in plasma")
            axes.set_ylabel(f"[{unit or 'mg/L'}]")
            axes.set_ylim(bottom=0.0)
        for axes, effect in zip(column[len(drugs) :], effects, strict=True):
            _draw_over_time(axes, pairs, effect)
            axes.set_title(EFFECTS[effect])
            axes.set_ylabel("share")
            axes.set_ylim(0.0, 1.02)
        column[-1].set_xlabel("time [d]")
        _mark_weeks(column[-1], top.time_d[-1])
        figure.legend(
            handles=column[0].get_lines()[::-1],
            labels=[drawing.wrapped(each.title, 130) for each, _ in pairs[::-1]],
            loc="outside upper left",
            fontsize=8.5,
        )
        return drawing.finish(
            figure,
            name="exposure",
            title="Exposure and receptor occupancy",
            reading=_exposure_reading(top, others[0] if others else None, drugs),
        )


def _draw_over_time(axes: Axes, pairs: Sequence[tuple[Trajectories, str]], name: str) -> None:
    for each, color in pairs:
        shown = each.draws(name) if each.has(name) else np.zeros((1, each.time_d.size))
        drawing.draw_band(axes, each.time_d, drawing.band(shown), color=color, label=each.title, alpha=0.25)
        axes.set_xlim(each.time_d[0], each.time_d[-1])


def _exposure_reading(top: Trajectories, other: Trajectories | None, drugs: Sequence[str]) -> str:
    parts = []
    for drug in drugs:
        if top.has(f"{PLASMA}{drug}"):
            peak = drawing.band(top.draws(f"{PLASMA}{drug}").max(axis=1)[:, None])
            unit = top.units(f"{PLASMA}{drug}") or "mg/L"
            parts.append(
                f"the highest {drug} on the drawn grid is {peak.median[0]:.3g} {unit} "
                f"(90 % of patients {peak.low[0]:.3g} to {peak.high[0]:.3g})"
            )
        else:
            parts.append(f"no {drug} is given")
    text = f"Under {top.title}, " + ", ".join(parts)
    if top.has("occupancy"):
        held = _mean_share(top, "occupancy")
        text += f"; EGFR is on average {100 * held:.0f} % occupied over the horizon"
        if other is not None and other.has("occupancy"):
            text += f", against {100 * _mean_share(other, 'occupancy'):.0f} % under {other.title}"
    return text + "."


def _mean_share(each: Trajectories, name: str) -> float:
    time = each.time_d
    median = np.median(each.draws(name), axis=0)
    return float(np.trapezoid(median, time) / (time[-1] - time[0]))


def outcome_figures(shown: Sequence[Trajectories]) -> tuple[Drawing, ...]:
    """Tumor and neutrophils under each schedule, with the first one's median repeated for comparison."""
    shown = shown[:MOST_PANELS]
    drawn: list[Drawing] = []
    if all(each.has("tumor_volume") for each in shown):
        tumors = [each.relative_tumor() for each in shown]
        drawn.append(_small_multiples(shown, tumors, name="tumor", title="Tumor volume relative to its start"))
    if all(each.has("neutrophils") for each in shown):
        counts = [each.draws("neutrophils") for each in shown]
        drawn.append(_small_multiples(shown, counts, name="neutrophils", title="Neutrophils"))
    return tuple(drawn)


def _small_multiples(
    shown: Sequence[Trajectories], values: Sequence[NDArray[np.float64]], *, name: str, title: str
) -> Drawing:
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    tumor = name == "tumor"
    with drawing.figure(2.45 * rows + 0.3) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        first = drawing.band(values[0])
        for index, (axes, each, draws) in enumerate(zip(grid.flat, shown, values, strict=False)):
            color = drawing.BLUE if index == 0 else drawing.ORANGE
            drawing.draw_band(axes, each.time_d, drawing.band(draws), color=color)
            if index:
                axes.plot(shown[0].time_d, first.median, color=drawing.BLUE, linewidth=1.0, linestyle=(0, (4, 2)))
            axes.set_title(drawing.wrapped(each.title, 38), fontsize=8.5)
            (_mark_start if tumor else _mark_limits)(axes, labelled=index == 0)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("volume / start" if tumor else "neutrophils [1e9/L]")
        for column in range(columns):
            lowest = max(row for row in range(rows) if row * columns + column < len(shown))
            grid[lowest, column].set_xlabel("time [d]")
            grid[lowest, column].tick_params(labelbottom=True)
        _mark_weeks(grid[0, 0], shown[0].time_d[-1])
        reading = _tumor_reading(shown, values) if tumor else _neutrophil_reading(shown, values)
        return drawing.finish(figure, name=name, title=title, reading=reading)


def _mark_weeks(axes: Axes, end_d: float) -> None:
    """Put about six ticks on whole weeks, where doses fall."""
    step = 7 * max(1, math.ceil(end_d / 7 / 6))
    axes.set_xticks(np.arange(0.0, end_d + 1e-9, step))


def _mark_start(axes: Axes, *, labelled: bool) -> None:
    drawing.logarithmic(axes)
    axes.axhline(1.0, color=drawing.INK, linewidth=0.8)
    if labelled:
        axes.annotate("start", (1.0, 1.0), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7.5)


def _mark_limits(axes: Axes, *, labelled: bool) -> None:
    axes.set_ylim(bottom=0.0)
    for limit in (SEVERE, MODERATE):
        axes.axhline(limit, color=drawing.VERMILION, linewidth=0.9, linestyle="-" if limit == SEVERE else (0, (3, 2)))
        if labelled:
            place = (1.0, limit)
            axes.annotate(
                f"{limit:g}",
                place,
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=7.5,
                color=drawing.VERMILION,
            )


def _tumor_reading(shown: Sequence[Trajectories], values: Sequence[NDArray[np.float64]]) -> str:
    ends = [draws[:, -1] for draws in values]
    day = shown[0].time_d[-1]
    low, median, high = np.quantile(ends[0], (0.05, 0.5, 0.95))
    text = (
        f"On day {day:.0f} the tumor under {shown[0].title} is {median:.2f} times its start "
        f"(90 % of patients {low:.2f} to {high:.2f})"
    )
    if len(shown) > 1:
        text += "; " + ", ".join(
            f"{np.median(end):.2f} under {each.title}" for each, end in zip(shown[1:], ends[1:], strict=True)
        )
    return text + ". Dashed: the median of the first panel."


def _neutrophil_reading(shown: Sequence[Trajectories], values: Sequence[NDArray[np.float64]]) -> str:
    parts = [
        f"{100 * float((draws.min(axis=1) < SEVERE).mean()):.0f} % under {each.title}"
        for each, draws in zip(shown, values, strict=True)
    ]
    return (
        f"On the drawn grid the count falls below {SEVERE:g}e9/L (grade 4, solid line) at some time in "
        + ", ".join(parts)
        + f" of the simulated patients; the dashed red line is {MODERATE:g}e9/L (grade 3)."
    )
