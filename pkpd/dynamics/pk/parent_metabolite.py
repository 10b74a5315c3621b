"""A parent drug with first-order absorption and a metabolite that is made of a share of what is eliminated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractLinearPKModel, DoseTable, Lanes, State, Transition, parameter, route_parameter
from pkpd.dynamics.pk.flows import exponential, superposed


class ParentMetabolite(AbstractLinearPKModel):
    """Amounts of the metabolite are those of the parent that it was made of, so that no molar mass is needed.

    References
    ----------
    Houston JB. Pharmacol Ther 1981;15:521, doi:10.1016/0163-7258(81)90056-5.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "metabolite")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "metabolite_concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    fraction_metabolized: Lanes = parameter("1")
    metabolite_clearance: Lanes = parameter("L/h")
    metabolite_volume: Lanes = parameter("L")
    lag: Lanes = route_parameter("h", neutral=0.0)

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration of the parent, mg/L."""
        return superposed(self.transition, doses, times_h, absorbed_into=0, seen=1, lag_h=self.lag) / self.volume

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def transition(self, length_h: Lanes) -> Transition:
        """Exact change of all amounts."""
        elimination = self.clearance / self.volume
        rates = (
            (-self.absorption, None, None),
            (self.absorption, -elimination, None),
            (None, self.fraction_metabolized * elimination, -self.metabolite_clearance / self.metabolite_volume),
        )
        return exponential(rates, length_h)

    def observe(self, amounts: State) -> dict[str, Array]:
        """Concentrations of parent and metabolite in plasma, mg/L."""
        return {
            "concentration": amounts[1] / self.volume,
            "metabolite_concentration": amounts[2] / self.metabolite_volume,
        }
