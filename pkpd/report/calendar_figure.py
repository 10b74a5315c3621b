"""The recommended regimen drawn as a calendar: one row per week, one column per day, one color per drug."""

from __future__ import annotations

import math
from collections import defaultdict

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from pkpd.domain.dosing import MINUTES_PER_DAY, Dose, Schedule
from pkpd.report import drawing
from pkpd.report.drawing import Drawing

DAYS_PER_WEEK = 7
MOST_WEEKS = 26


def calendar_figure(schedule: Schedule) -> Drawing:
    """Draw every administration on its day; a horizon of more than half a year is cut, and the reading says so."""
    weeks = math.ceil(schedule.horizon_min / MINUTES_PER_DAY / DAYS_PER_WEEK)
    shown = min(weeks, MOST_WEEKS)
    by_day: dict[int, dict[str, list[Dose]]] = defaultdict(lambda: defaultdict(list))
    for dose in schedule.doses():
        by_day[dose.time_min // MINUTES_PER_DAY][dose.drug].append(dose)
    drugs = schedule.drugs
    lane = max(len(drugs), 1)
    with drawing.figure(0.36 * shown * max(0.62 * lane, 1.0) + 0.75) as figure:
        axes = figure.add_subplot()
        for day in range(shown * DAYS_PER_WEEK):
            _draw_day(axes, day, by_day.get(day, {}), drugs, inside=day * MINUTES_PER_DAY < schedule.horizon_min)
        _finish_axes(axes, shown, drugs)
        return drawing.finish(
            figure, name="calendar", title="Calendar of the regimen", reading=_reading(schedule, shown < weeks)
        )


def _draw_day(axes: Axes, day: int, given: dict[str, list[Dose]], drugs: tuple[str, ...], *, inside: bool) -> None:
    week, weekday = divmod(day, DAYS_PER_WEEK)
    if not inside:
        return
    frame = FancyBboxPatch((weekday + 0.04, week + 0.06), 0.92, 0.88, boxstyle="round,pad=0,rounding_size=0.05")
    frame.set(facecolor="#F6F7F8", edgecolor="none")
    axes.add_patch(frame)
    axes.text(weekday + 0.08, week + 0.13, str(day + 1), fontsize=6.5, color=drawing.GRAY, va="top")
    height = 0.8 / max(len(drugs), 1)
    for index, drug in enumerate(drugs):
        if drug not in given:
            continue
        corner = (weekday + 0.22, week + 0.1 + index * height)
        box = FancyBboxPatch(corner, 0.7, height * 0.88, boxstyle="round,pad=0,rounding_size=0.04")
        color = drawing.drug_color(drug, drugs)
        box.set(facecolor=color, edgecolor="none")
        axes.add_patch(box)
        axes.text(
            corner[0] + 0.35,
            corner[1] + 0.45 * height,
            _label(given[drug]),
            color=_ink_on(color),
            fontsize=7.5,
            ha="center",
            va="center",
        )


def _label(doses: list[Dose]) -> str:
    amounts = list(dict.fromkeys(str(dose.amount) for dose in doses))
    text = " + ".join(amounts).replace("m2", "m\N{SUPERSCRIPT TWO}")
    return f"{len(doses)} \N{MULTIPLICATION SIGN} {text}" if len(doses) > 1 and len(amounts) == 1 else text


def _ink_on(color: str) -> str:
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else drawing.INK


def _finish_axes(axes: Axes, weeks: int, drugs: tuple[str, ...]) -> None:
    axes.set_xlim(0, DAYS_PER_WEEK)
    axes.set_ylim(weeks, 0)
    axes.set_xticks([0.5 + day for day in range(DAYS_PER_WEEK)], [f"day {day + 1}" for day in range(DAYS_PER_WEEK)])
    axes.set_yticks([0.5 + week for week in range(weeks)], [f"week {week + 1}" for week in range(weeks)])
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for index, drug in enumerate(drugs):
        axes.text(
            0.02 + 0.17 * index,
            -0.015,
            f"\N{BLACK SQUARE} {drug}",
            color=drawing.drug_color(drug, drugs),
            transform=axes.transAxes,
            va="top",
            fontsize=9,
            fontweight="bold",
        )


def _reading(schedule: Schedule, cut: bool) -> str:
    parts = []
    for drug in schedule.drugs:
        doses = schedule.doses_of(drug)
        first, last = (doses[at].time_min // MINUTES_PER_DAY + 1 for at in (0, -1))
        parts.append(f"{drug} {len(doses)} times from day {first} to day {last}")
    text = f"{schedule.horizon_min / MINUTES_PER_DAY:g} days: " + (", ".join(parts) or "no drug is given") + "."
    return f"{text} Only the first {MOST_WEEKS} weeks are drawn." if cut else text
