"""Doses, courses of one drug, and schedules of several; times are whole minutes from the start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1440


class AmountBasis(StrEnum):
    """What an amount is relative to."""

    ABSOLUTE = "mg"
    BODY_WEIGHT = "mg/kg"
    BODY_SURFACE = "mg/m2"


class Route(StrEnum):
    """How a dose is given."""

    ORAL = "oral"
    INTRAVENOUS = "intravenous"
    INTRAPERITONEAL = "intraperitoneal"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Amount:
    """A dose amount as written: absolute, per body weight or per body surface area."""

    value: float
    basis: AmountBasis = AmountBasis.ABSOLUTE

    def milligrams(
        self, *, weight_kg: NDArray[np.float64] | float, surface_m2: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Absolute amount in mg for each patient; NaN where the covariate it needs is NaN."""
        per = {
            AmountBasis.ABSOLUTE: np.ones_like(np.asarray(weight_kg, dtype=np.float64)),
            AmountBasis.BODY_WEIGHT: np.asarray(weight_kg, dtype=np.float64),
            AmountBasis.BODY_SURFACE: np.asarray(surface_m2, dtype=np.float64),
        }
        return self.value * per[self.basis]

    def __str__(self) -> str:
        return f"{self.value:g} {self.basis}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One administration.

    Attributes
    ----------
    time_min
        Start, minutes from the start of the schedule.
    duration_min
        Length of the infusion; 0 is a bolus, a tablet or an injection.
    """

    drug: str
    time_min: int
    amount: Amount
    route: Route
    duration_min: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One drug, repeated: every `every_min`, in cycles of `on_min` and `off_min`.

    Attributes
    ----------
    start_min, until_min
        First dose; no dose at or after `until_min` (None: up to the horizon).
    on_min, off_min
        Length of the dosing and of the rest part of a cycle, counted from `start_min`; None doses without rest.
    loading, loading_duration_min
        Amount and infusion length of the very first dose, where they differ.
    """

    drug: str
    amount: Amount
    route: Route
    every_min: int
    start_min: int = 0
    until_min: int | None = None
    on_min: int | None = None
    off_min: int = 0
    duration_min: int = 0
    loading: Amount | None = None
    loading_duration_min: int | None = None

    def most_doses(self, horizon_min: int) -> int:
        """Number of administrations before the horizon, rests not counted: a bound that needs no list of them."""
        end = horizon_min if self.until_min is None else min(self.until_min, horizon_min)
        return max(0, math.ceil((end - self.start_min) / self.every_min))

    def doses(self, horizon_min: int) -> tuple[Dose, ...]:
        """Every administration that starts before the horizon."""
        end = horizon_min if self.until_min is None else min(self.until_min, horizon_min)
        cycle = None if self.on_min is None else self.on_min + self.off_min
        times: list[int] = []
        cycle_start = self.start_min
        while cycle_start < end:
            stop = end if self.on_min is None else min(cycle_start + self.on_min, end)
            times.extend(range(cycle_start, stop, self.every_min))
            if cycle is None:
                break
            cycle_start += cycle
        return tuple(self._dose(index, time) for index, time in enumerate(times))

    def _dose(self, index: int, time_min: int) -> Dose:
        first = index == 0 and self.loading is not None
        long_first = first and self.loading_duration_min is not None
        return Dose(
            drug=self.drug,
            time_min=time_min,
            amount=self.loading if first and self.loading is not None else self.amount,
            route=self.route,
            duration_min=self.loading_duration_min
            if long_first and self.loading_duration_min is not None
            else self.duration_min,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All courses over one horizon."""

    name: str
    horizon_min: int
    courses: tuple[Course, ...]
    title: str = ""

    def doses(self) -> tuple[Dose, ...]:
        """Every administration, ordered by time, then drug."""
        every = (dose for course in self.courses for dose in course.doses(self.horizon_min))
        return tuple(sorted(every, key=lambda dose: (dose.time_min, dose.drug)))

    def doses_of(self, drug: str) -> tuple[Dose, ...]:
        """The administrations of one drug: its arm of the schedule."""
        return tuple(dose for dose in self.doses() if dose.drug == drug)

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs that are given at least once, sorted."""
        return tuple(sorted({dose.drug for dose in self.doses()}))
