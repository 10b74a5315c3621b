"""Scores on fresh draws: finalists, references and controls on patients that had no part in choosing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from pkpd.domain.dosing import Schedule
from pkpd.domain.recommendation import Role
from pkpd.optimize.base import Evaluate, Progress
from pkpd.optimize.ranking import Entrant, entrants_of
from pkpd.optimize.search import Judges, finite_utility, numerical_error


@dataclass(slots=True, kw_only=True)
class Meter:
    """Counts simulations for a progress bar that never runs backwards and ends full."""

    progress: Progress | None
    expected: int
    done: int = 0

    def add(self, count: int) -> None:
        """Report more simulations."""
        self.done += count
        if self.progress is not None:
            self.progress(min(self.done, self.expected - 1), self.expected)

    def finish(self) -> None:
        """Report that nothing is left."""
        if self.progress is not None:
            self.progress(self.expected, self.expected)


@dataclass(slots=True, kw_only=True)
class FreshDraws:
    """Simulates on the fresh patients and remembers the worst numerical error of any simulation."""

    evaluate: Evaluate
    patients: Any
    judges: Judges
    meter: Meter
    errors: list[float] = field(default_factory=list)

    @property
    def worst_error(self) -> float | None:
        """Largest stated relative error; None where no simulation stated one."""
        return max(self.errors, default=None)

    def note_error(self, error: float | None) -> None:
        """Remember a numerical error."""
        if error is not None:
            self.errors.append(error)

    def simulate(
        self, patients: Any, schedules: Sequence[Schedule], *, switches: Mapping[str, float] | None = None
    ) -> xr.Dataset:
        """Simulate, count and remember the error."""
        outcomes = self.evaluate(patients, schedules, switches=switches)
        self.note_error(numerical_error(outcomes))
        self.meter.add(len(schedules) * patients.size)
        return outcomes

    def enter(self, schedules: Sequence[Schedule], *, role: Role) -> list[Entrant]:
        """Score schedules in one role; none for none."""
        if not schedules:
            return []
        outcomes = self.simulate(self.patients, schedules)
        utility = finite_utility(self.judges.objective, outcomes, schedules)
        return entrants_of(outcomes, utility, schedules, role=role, judges=self.judges)
