"""Scores on fresh draws become ranked schedules: paired differences, ties, regret and comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.dosing import Schedule
from pkpd.domain.recommendation import Comparison, Estimate, RankedSchedule, Role, Spread
from pkpd.domain.space import Measure, RiskSpec
from pkpd.domain.wording import course_in_words
from pkpd.optimize.base import Floats, RiskMeasure, mean_estimate
from pkpd.optimize.search import Judges

DISTINGUISHABLE_ERRORS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entrant:
    """A schedule on the fresh draws, before it is compared with others.

    Attributes
    ----------
    utility
        Shape (draw,).
    violations
        Draws that violate, per constraint.
    outcomes
        Variable -> values, shape (draw,).
    """

    role: Role
    schedule: Schedule
    utility: Floats
    violations: tuple[int, ...]
    outcomes: Mapping[str, Floats]
    search_value: float | None = None

    def feasible(self, judges: Judges) -> bool:
        """Whether the observed shares are within their limits."""
        pairs = zip(judges.constraints, self.violations, strict=True)
        return all(count / self.utility.size <= constraint.spec.max_probability for constraint, count in pairs)


def entrants_of(
    outcomes: xr.Dataset, utility: Floats, schedules: Sequence[Schedule], *, role: Role, judges: Judges
) -> list[Entrant]:
    """One entrant per schedule of a simulation."""
    counts = [constraint.violations(outcomes) for constraint in judges.constraints]
    names = [str(name) for name, variable in outcomes.data_vars.items() if {"schedule", "draw"} == set(variable.dims)]
    values = {name: outcomes[name].transpose("schedule", "draw").values for name in names}
    return [
        Entrant(
            role=role,
            schedule=schedule,
            utility=utility[index],
            violations=tuple(int(count[index]) for count in counts),
            outcomes={name: array[index] for name, array in values.items()},
        )
        for index, schedule in enumerate(schedules)
    ]


def is_tied(difference: Estimate, *, margin: float) -> bool:
    """Whether two schedules cannot be told apart: within the margin, or within two paired standard errors."""
    return abs(difference.value) <= max(margin, DISTINGUISHABLE_ERRORS * difference.standard_error)


def ranked(
    entrants: Sequence[Entrant],
    best: Entrant,
    *,
    judges: Judges,
    cvar_tail: float,
    margin: float,
) -> tuple[RankedSchedule, ...]:
    """Every entrant compared with the best one, with the references and with the controls; the order is kept."""
    universe = [one for one in entrants if one.role is not Role.CONTROL and one.feasible(judges)] or [best]
    field = np.stack([one.utility for one in universe])
    top = field.max(axis=0)
    ties = (field == top).sum(axis=0)
    others = [one for one in entrants if one.role is not Role.CANDIDATE]
    mean = RiskMeasure(spec=RiskSpec(measure=Measure.MEAN))
    cvar = RiskMeasure(spec=RiskSpec(measure=Measure.CVAR, tail=cvar_tail))
    rows = []
    for one in entrants:
        difference = judges.risk.difference(one.utility, best.utility)
        rows.append(
            RankedSchedule(
                role=one.role,
                rank=None,
                schedule=one.schedule,
                words=tuple(course_in_words(course, one.schedule.horizon_min) for course in one.schedule.courses),
                doses=dict(sorted(Counter(dose.drug for dose in one.schedule.doses()).items())),
                value=judges.risk.estimate(one.utility),
                mean=mean.estimate(one.utility),
                cvar=cvar.estimate(one.utility),
                search_value=one.search_value,
                difference=difference,
                tied=is_tied(difference, margin=margin),
                probability_best=float(np.mean((one.utility == top) / ties)) if one in universe else 0.0,
                probability_within_margin=float(np.mean(one.utility >= top - margin)),
                expected_regret=mean_estimate(np.maximum(top - one.utility, 0.0)),
                constraints=tuple(
                    constraint.result(count, one.utility.size)
                    for constraint, count in zip(judges.constraints, one.violations, strict=True)
                ),
                against=tuple(
                    compare(one, other, judges=judges, margin=margin) for other in others if other is not one
                ),
                outcomes={name: spread(values) for name, values in one.outcomes.items() if np.isfinite(values).all()},
            )
        )
    return tuple(rows)


def tied_in_search(utility: Floats, risk: RiskMeasure, *, margin: float) -> int:
    """How many schedules of the search cannot be told from its best, itself included; utility (schedule, draw)."""
    if utility.shape[0] == 0:
        return 0
    scores = risk.scores(utility)
    paired = scores - scores[int(np.argmax(scores.mean(axis=1)))]
    errors = paired.std(axis=1, ddof=1) / np.sqrt(paired.shape[1])
    return int(np.sum(np.abs(paired.mean(axis=1)) <= np.maximum(margin, DISTINGUISHABLE_ERRORS * errors)))


def compare(one: Entrant, other: Entrant, *, judges: Judges, margin: float) -> Comparison:
    """One entrant against another on the same draws; equal draws count half."""
    gain = one.utility - other.utility
    return Comparison(
        other=other.schedule.name,
        difference=judges.risk.difference(one.utility, other.utility),
        probability_better=share_above(gain),
        probability_better_by_margin=float(np.mean(gain > margin)),
    )


def share_above(values: NDArray[np.float64]) -> float:
    """Share of values above zero; zeros count half."""
    return float(np.mean(values > 0.0) + 0.5 * np.mean(values == 0.0))


def spread(values: Floats) -> Spread:
    """Median and central 90 % interval."""
    lower, median, upper = np.quantile(values, [0.05, 0.5, 0.95])
    return Spread(median=float(median), lower=float(lower), upper=float(upper))
