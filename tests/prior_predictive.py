"""Draws from shipped priors: cohorts of individuals, each cohort with typical values and spreads of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from pkpd import units
from pkpd.domain.prior import Component, ParameterPrior, Prior
from pkpd.dynamics.base import DoseTable

FLOOR_MG_PER_L = 1e-6  # below what any assay sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohorts:
    """How many cohorts of how many individuals; arrays are flat, cohort by cohort."""

    cohorts: int
    individuals: int
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.cohorts, self.individuals

    def draw(
        self, component: Component, declared: Mapping[str, str], *, weight_kg: float = 1.0
    ) -> dict[str, NDArray[np.float64]]:
        """Values of each individual, in the unit that the model declares; an absolute one where the prior is per kg."""
        rng = np.random.default_rng([self.seed, *component.name.encode()])
        drawn: dict[str, NDArray[np.float64]] = {}
        for name, prior in component.parameters.items():
            if not prior.tied_to:
                factor, unit = (weight_kg, prior.unit[:-3]) if prior.unit.endswith("/kg") else (1.0, prior.unit)
                factor *= units.factor(unit, declared.get(name, unit))
                drawn[name] = (self._individuals(prior, rng) * factor).ravel()
        return {name: drawn[prior.tied_to or name] for name, prior in component.parameters.items()}

    def per_cohort(self, prior: Prior) -> NDArray[np.float64]:
        """One value per cohort, repeated for its individuals."""
        rng = np.random.default_rng([self.seed, 1])
        return np.repeat(prior.quantile(rng.uniform(size=self.cohorts)), self.individuals)

    def noise(self) -> NDArray[np.float64]:
        """Standard normal deviate of each individual's observation."""
        return np.random.default_rng([self.seed, 2]).standard_normal(self.cohorts * self.individuals)

    def _individuals(self, prior: ParameterPrior, rng: np.random.Generator) -> NDArray[np.float64]:
        column = (self.cohorts, 1)
        value = prior.typical.quantile(rng.uniform(size=column))
        if prior.shift is not None:
            value = prior.shifted(value, prior.shift.quantile(rng.uniform(size=column)))
        if prior.between is None:
            return np.broadcast_to(value, self.shape)
        sd = prior.between.sd.quantile(rng.uniform(size=column))
        return prior.between.individual(value, sd, rng.standard_normal(self.shape))


LAST_TIME_H = 84 * 24.0  # no statistic looks further


def doses(
    times_h: NDArray[np.float64], amount_mg: NDArray[np.float64], *, duration_h: NDArray[np.float64] | None = None
) -> DoseTable:
    """Absorbed doses, or infusions where durations are given; amounts per dose, or per dose and individual."""
    amounts = np.asarray(amount_mg, dtype=np.float64)
    return DoseTable(
        time_h=jnp.asarray(times_h, dtype=float),
        amount_mg=jnp.asarray(amounts if amounts.ndim == 2 else amounts[:, None]),
        duration_h=jnp.asarray(np.zeros(len(times_h)) if duration_h is None else duration_h),
        absorbed=jnp.full(len(times_h), 1.0 if duration_h is None else 0.0),
        end_h=LAST_TIME_H,
    )


def log_linear_half_life(times_h: NDArray[np.float64], concentration: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half-life from the straight line through log concentrations `[time, individual]`; traces count as the floor."""
    centered = (times_h - times_h.mean())[:, None]
    slope = (centered * np.log(np.maximum(concentration, FLOOR_MG_PER_L))).sum(axis=0) / (centered**2).sum()
    return -np.log(2.0) / slope
