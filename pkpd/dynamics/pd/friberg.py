"""Neutrophils under a drug that slows their precursors: transit compartments with feedback, Emax inhibition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import AbstractPDModel, Exposure, Lanes, State, parameter
from pkpd.dynamics.forcing import Forcing, project
from pkpd.dynamics.pd.senolysis import CDK46
from pkpd.dynamics.timeline import Grid

STAGES = 4.0  # proliferation and three transits, as published
UG_PER_MG = 1000.0


class Friberg(AbstractPDModel):
    """Myelosuppression by the CDK4/6 inhibitor's total plasma concentration.

    References
    ----------
    Friberg LE et al. J Clin Oncol 2002;20:4713, doi:10.1200/JCO.2002.02.140. Emax form for palbociclib: Courlet P et al.
    Pharmaceutics 2022;14:1317, doi:10.3390/pharmaceutics14071317.
    """

    targets: ClassVar[tuple[str, ...]] = (CDK46,)

    baseline: Lanes = parameter("1e9/L")
    mean_transit_time: Lanes = parameter("h")
    feedback_power: Lanes = parameter("1")
    max_inhibition: Lanes = parameter("1")
    half_inhibition: Lanes = parameter("ug/L")

    def forcings(self, exposures: Mapping[str, Exposure], grid: Grid) -> tuple[Forcing, ...]:
        """Share of the precursors' proliferation that is inhibited."""
        inhibitor = exposures[CDK46]
        plasma = inhibitor.total * UG_PER_MG
        return (project(self.max_inhibition * plasma / (self.half_inhibition + plasma), inhibitor.nodes),)

    def initial(self) -> State:
        """Every pool at the baseline; the feedback factor, carried as a state to avoid a power per step, at one."""
        return (self.baseline,) * 5 + (jnp.ones_like(self.baseline),)

    def rate(self, state: State, drives: tuple[Array, ...]) -> State:
        """Derivatives, per hour: precursors, three transits, circulating cells, feedback factor."""
        precursor, first, second, third, circulating, feedback = state
        turnover = STAGES / self.mean_transit_time
        growth = turnover * (third / circulating - 1.0)
        return (
            turnover * precursor * ((1.0 - drives[0]) * feedback - 1.0),
            turnover * (precursor - first),
            turnover * (first - second),
            turnover * (second - third),
            growth * circulating,
            -self.feedback_power * growth * feedback,
        )

    def fast_losses(self, state: State, drives: tuple[Array, ...]) -> dict[int, Array]:
        """None: transit takes days."""
        return {}

    def observe(self, state: State, drives: tuple[Array, ...]) -> dict[str, Array]:
        """Circulating neutrophils, 1e9/L."""
        return {"neutrophils": state[4]}
