"""Tumor growth inhibition by damage: cells that the drug hits stop growing and die after three stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import Lanes, State, parameter
from pkpd.dynamics.pk.driven_response import AbstractDrivenResponse

SHARPNESS = 20.0  # psi of the paper, which fixes it: growth turns from exponential to linear at once


class Simeoni(AbstractDrivenResponse):
    """One compartment with first-order absorption; growth is exponential, then linear; the tumor is the sum of four stages.

    `growth_rate` is lambda0 (1/h), `linear_growth` lambda1 (mm^3/h), `potency` k2 (L/mg/h), `damage_transit` k1 (1/h) and
    `initial_volume` w0 (mm^3), all of it proliferating at the first record and after a reset. A tumor that weighs is read as 1 mg
    per mm^3.

    References
    ----------
    Simeoni M et al. Cancer Res 2004;64:1094, doi:10.1158/0008-5472.CAN-03-2524, equations 1 and 2.
    """

    compartments: ClassVar[tuple[str, ...]] = (
        "depot",
        "central",
        "proliferating",
        "damaged_1",
        "damaged_2",
        "damaged_3",
    )
    responses: ClassVar[tuple[str, ...]] = compartments[2:]
    grows: ClassVar[bool] = True
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "tumor_volume": "mm^3"}

    growth_rate: Lanes = parameter("1/h")
    linear_growth: Lanes = parameter("mm^3/h")
    potency: Lanes = parameter("L/mg/h")
    damage_transit: Lanes = parameter("1/h")
    initial_volume: Lanes = parameter("mm^3")

    def response_start(self) -> State:
        """A tumor of cells that proliferate."""
        return self.initial_volume, jnp.zeros(()), jnp.zeros(()), jnp.zeros(())

    def response_slope(self, level: Array, response: State) -> State:
        """Growth, damage, and the way of damaged cells to their death."""
        proliferating, first, second, third = response
        ratio = self.growth_rate / self.linear_growth * jnp.maximum(sum(response), 0.0)
        # the power of the larger of the two terms is taken out of the sum, so that none overflows
        larger = jax.lax.stop_gradient(jnp.maximum(ratio, 1.0))
        slower = larger * ((1.0 / larger) ** SHARPNESS + (ratio / larger) ** SHARPNESS) ** (1.0 / SHARPNESS)
        damage = self.potency * level * proliferating
        return (
            self.growth_rate * proliferating / slower - damage,
            damage - self.damage_transit * first,
            self.damage_transit * (first - second),
            self.damage_transit * (second - third),
        )

    def response_outputs(self, response: State) -> dict[str, Array]:
        """Volume of the tumor, mm^3."""
        return {"tumor_volume": sum(response[1:], response[0])}
