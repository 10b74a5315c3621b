"""One compartment with first-order absorption and an effect site that follows plasma with a delay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractLinearPKModel, DoseTable, Lanes, State, Transition, parameter, route_parameter
from pkpd.dynamics.pk.flows import exponential, superposed


class EffectCompartment(AbstractLinearPKModel):
    """The effect site takes nothing from plasma; its amount is its concentration times `volume`.

    References
    ----------
    Sheiner LB et al. Clin Pharmacol Ther 1979;25:358, doi:10.1002/cpt1979253358.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "effect")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "effect_concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    equilibration: Lanes = parameter("1/h")
    lag: Lanes = route_parameter("h", neutral=0.0)

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return superposed(self.transition, doses, times_h, absorbed_into=0, seen=1, lag_h=self.lag) / self.volume

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def transition(self, length_h: Lanes) -> Transition:
        """Exact change of all amounts."""
        rates = (
            (-self.absorption, None, None),
            (self.absorption, -self.clearance / self.volume, None),
            (None, self.equilibration, -self.equilibration),
        )
        return exponential(rates, length_h)

    def observe(self, amounts: State) -> dict[str, Array]:
        """Concentrations in plasma and at the effect site, mg/L."""
        return {"concentration": amounts[1] / self.volume, "effect_concentration": amounts[2] / self.volume}
