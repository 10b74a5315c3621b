"""A simulation with known answers for the tests of the decision layer: outcomes are formulas of doses and draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pkpd.domain.dosing import Amount, AmountBasis, Course, Route, Schedule
from pkpd.domain.space import ConstraintSpec, ObjectiveSpec, ScheduleSpace

DAY = 1440
HORIZON = 84 * DAY
SAFE = ConstraintSpec(endpoint="neutrophils", statistic="minimum", below=0.5, unit="1e9/L", max_probability=0.10)


@dataclass(frozen=True)
class FakePatients:
    """Standard normal deviates: `z` scales the effect of the drugs, `w` the sensitivity of the neutrophils."""

    size: int
    seed: int

    def deviates(self, name: str) -> np.ndarray:
        """The same numbers whenever they are asked for."""
        return np.random.default_rng([self.seed, sum(map(ord, name))]).standard_normal(self.size)


type Formula = Callable[[Schedule, FakePatients], np.ndarray]


def simulation(
    *, mean_log: Formula, neutrophils: Formula | None = None, numerical_error: float | None = 1e-4
) -> Callable[..., xr.Dataset]:
    """An `evaluate` whose time-mean of log volume and neutrophil minimum are formulas."""

    def evaluate(patients: FakePatients, schedules: Sequence[Schedule], *, switches=None) -> xr.Dataset:
        burden = np.stack([mean_log(schedule, patients) for schedule in schedules])
        floor = [np.ones(patients.size) if neutrophils is None else neutrophils(one, patients) for one in schedules]
        variables = {
            "tumor_mean_log": burden,
            "tumor_final": np.exp(burden),
            "tumor_minimum": np.exp(burden),
            "neutrophil_minimum": np.stack(floor),
            "senolytic_exposure": np.zeros_like(burden),
            "senescent_final": np.ones_like(burden),
        }
        attrs = {} if numerical_error is None else {"numerical_error": numerical_error}
        return xr.Dataset({name: (("schedule", "draw"), values) for name, values in variables.items()}, attrs=attrs)

    return evaluate


def palbociclib(mg: float = 125.0, *, start_d: int = 0, until_d: int | None = None) -> Course:
    """Daily tablets."""
    return Course(
        drug="palbociclib",
        amount=Amount(value=mg),
        route=Route.ORAL,
        every_min=DAY,
        start_min=start_d * DAY,
        until_min=None if until_d is None else until_d * DAY,
    )


def cetuximab(*, start_d: int = 0, until_d: int | None = None) -> Course:
    """Weekly infusions."""
    return Course(
        drug="cetuximab",
        amount=Amount(value=250.0, basis=AmountBasis.BODY_SURFACE),
        route=Route.INTRAVENOUS,
        every_min=7 * DAY,
        start_min=start_d * DAY,
        until_min=None if until_d is None else until_d * DAY,
        duration_min=60,
        loading=Amount(value=400.0, basis=AmountBasis.BODY_SURFACE),
        loading_duration_min=120,
    )


def schedule(name: str, *courses: Course) -> Schedule:
    """A schedule over the common horizon."""
    return Schedule(name=name, horizon_min=HORIZON, courses=courses)


def space(
    *,
    palbociclib_courses: Sequence[Course],
    cetuximab_courses: Sequence[Course | None],
    references: Sequence[Schedule] = (),
    constraints: Sequence[ConstraintSpec] = (SAFE,),
    **changes: object,
) -> ScheduleSpace:
    """A space of the two drugs that is scored by the time-mean of log volume."""
    return ScheduleSpace(
        name="fake",
        horizon_min=HORIZON,
        choices={"palbociclib": tuple(palbociclib_courses), "cetuximab": tuple(cetuximab_courses)},
        references=tuple(references),
        objective=ObjectiveSpec(name="tumor_burden"),
        constraints=tuple(constraints),
        **changes,
    )


def milligrams(one: Schedule) -> float:
    """Total palbociclib."""
    return sum(dose.amount.value for dose in one.doses_of("palbociclib"))


def infusions(one: Schedule) -> int:
    """Number of cetuximab doses."""
    return len(one.doses_of("cetuximab"))
