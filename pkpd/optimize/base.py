"""The parts of a decision: a utility per draw, a risk measure over draws, and a limit on how often harm occurs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from pkpd.domain.dosing import Schedule
from pkpd.domain.recommendation import ConstraintResult, Estimate
from pkpd.domain.space import ConstraintSpec, Measure, RiskSpec

type Floats = NDArray[np.float64]
type Progress = Callable[[int, int], None]

INTERVAL = 0.95
OUTCOME_OF: Mapping[tuple[str, str], str] = {
    ("neutrophils", "minimum"): "neutrophil_minimum",
}


class Evaluate(Protocol):
    """Simulates every schedule for every patient: dims (schedule, draw), one variable per outcome."""

    def __call__(
        self, patients: Any, schedules: Sequence[Schedule], *, switches: Mapping[str, float] | None = None
    ) -> xr.Dataset:
        """Outcomes; `attrs["numerical_error"]` holds the integrator's relative error, where it is known."""
        ...


class AbstractObjective(ABC):
    """Utility of every schedule for every draw; more is better, and a difference of 0.01 means the same everywhere."""

    outcomes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def utility(self, outcomes: xr.Dataset) -> Floats:
        """Utility, shape (schedule, draw)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMeasure:
    """Reduces a utility over draws to one number, with the influence of every draw on it.

    Both measures are the mean of a score per draw. Standard errors, paired or not, are those of a mean of scores; for
    CVaR this is the usual linearization at the quantile (Rockafellar and Uryasev 2000, doi:10.21314/JOR.2000.038).
    """

    spec: RiskSpec

    def scores(self, utility: Floats) -> Floats:
        """Scores with the shape of `utility`; their mean over the last axis is the measure."""
        if self.spec.measure is Measure.MEAN:
            return utility
        draws = utility.shape[-1]
        rank = min(max(int(np.ceil(self.spec.tail * draws)) - 1, 0), draws - 1)
        threshold = np.partition(utility, rank, axis=-1)[..., rank : rank + 1]
        return threshold - np.maximum(threshold - utility, 0.0) / self.spec.tail

    def value(self, utility: Floats) -> Floats:
        """The measure of each schedule, shape (schedule,)."""
        return self.scores(utility).mean(axis=-1)

    def estimate(self, utility: Floats) -> Estimate:
        """The measure of one schedule and its Monte-Carlo standard error."""
        return mean_estimate(self.scores(utility))

    def difference(self, utility: Floats, other: Floats) -> Estimate:
        """Measure of `utility` less that of `other`, with the standard error that common draws allow."""
        return mean_estimate(self.scores(utility) - self.scores(other))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceConstraint:
    """A limit on how many new patients come below a threshold."""

    spec: ConstraintSpec

    @property
    def outcome(self) -> str:
        """Variable of the simulation that the limit is on."""
        return OUTCOME_OF[self.spec.endpoint, self.spec.statistic]

    def violations(self, outcomes: xr.Dataset) -> NDArray[np.int64]:
        """Number of draws of each schedule that violate, shape (schedule,)."""
        values = outcomes[self.outcome].transpose("schedule", "draw").values
        return np.sum(~(values >= self.spec.below), axis=-1)

    def result(self, violations: int, draws: int) -> ConstraintResult:
        """Probability with its Jeffreys interval (Brown, Cai and DasGupta 2001, doi:10.1214/ss/1009213286)."""
        shapes = violations + 0.5, draws - violations + 0.5  # Jeffreys' posterior is a beta distribution
        lower, upper = (special.betaincinv(*shapes, 0.5 + side * 0.5 * INTERVAL) for side in (-1.0, 1.0))
        return ConstraintResult(
            constraint=self.spec,
            violations=int(violations),
            draws=int(draws),
            probability=violations / draws,
            lower=0.0 if violations == 0 else float(lower),
            upper=1.0 if violations == draws else float(upper),
            confidence=float(special.betainc(*shapes, self.spec.max_probability)),
        )


def mean_estimate(scores: Floats) -> Estimate:
    """Mean and standard error of independent scores, shape (draw,)."""
    error = float(np.std(scores, ddof=1) / np.sqrt(scores.size)) if scores.size > 1 else 0.0
    return Estimate(value=float(np.mean(scores)), standard_error=error)
