"""Blood cells whose precursors a drug slows: proliferation, three transits and a feedback from the circulation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import Lanes, State, parameter
from pkpd.dynamics.pk.driven_response import AbstractDrivenResponse

STAGES = 4.0  # proliferation and three transits, as published
_LEAST = 1e-9  # of the baseline: below it the feedback grows no further


class AbstractMyelosuppression(AbstractDrivenResponse):
    """One compartment with first-order absorption; all pools start at the baseline of the circulating cells.

    References
    ----------
    Friberg LE et al. J Clin Oncol 2002;20:4713, doi:10.1200/JCO.2002.02.140.
    """

    compartments: ClassVar[tuple[str, ...]] = (
        "depot",
        "central",
        "proliferating",
        "transit_1",
        "transit_2",
        "transit_3",
        "circulating",
    )
    responses: ClassVar[tuple[str, ...]] = compartments[2:]
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "neutrophils": "1e9/L"}

    baseline: Lanes = parameter("1e9/L")
    mean_transit_time: Lanes = parameter("h")
    feedback_power: Lanes = parameter("1")

    @abstractmethod
    def effect(self, level: Array) -> Array:
        """Share by which the drug slows proliferation; above 1 precursors are killed."""

    def response_start(self) -> State:
        """Every pool at the baseline."""
        return (self.baseline,) * 5

    def response_slope(self, level: Array, response: State) -> State:
        """Proliferation under drug and feedback, transits, and loss from the circulation, all at the rate 4 / mean transit time."""
        proliferating, first, second, third, circulating = response
        turnover = STAGES / self.mean_transit_time
        share = jnp.maximum(circulating / self.baseline, _LEAST)
        feedback = jnp.exp(-self.feedback_power * jnp.log(share))
        return (
            turnover * proliferating * ((1.0 - self.effect(level)) * feedback - 1.0),
            turnover * (proliferating - first),
            turnover * (first - second),
            turnover * (second - third),
            turnover * (third - circulating),
        )

    def response_outputs(self, response: State) -> dict[str, Array]:
        """Circulating neutrophils, 1e9/L."""
        return {"neutrophils": response[4]}
