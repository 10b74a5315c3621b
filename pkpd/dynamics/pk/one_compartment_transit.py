"""One compartment behind a chain of transit compartments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractLinearPKModel, DoseTable, Lanes, State, Transition, parameter, route_parameter
from pkpd.dynamics.pk.flows import exponential, superposed

STAGES = 4  # the depot and three transits


class OneCompartmentTransit(AbstractLinearPKModel):
    """A dose passes the depot and three transits, each at the rate 4 / `mean_transit_time`, before it can be absorbed.

    References
    ----------
    Savic RM et al. J Pharmacokinet Pharmacodyn 2007;34:711, doi:10.1007/s10928-007-9066-0, with a number of transits that is fixed.
    """

    compartments: ClassVar[tuple[str, ...]] = (
        "depot",
        "transit_1",
        "transit_2",
        "transit_3",
        "absorption_site",
        "central",
    )
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    mean_transit_time: Lanes = parameter("h")
    lag: Lanes = route_parameter("h", neutral=0.0)

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return superposed(self.transition, doses, times_h, absorbed_into=0, seen=5, lag_h=self.lag) / self.volume

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def transition(self, length_h: Lanes) -> Transition:
        """Exact change of all amounts."""
        passing = STAGES / self.mean_transit_time
        leaving = (passing,) * STAGES + (self.absorption, self.clearance / self.volume)
        size = range(len(leaving))
        rates = tuple(
            tuple(-leaving[to] if to == start else leaving[start] if to == start + 1 else None for start in size)
            for to in size
        )
        return exponential(rates, length_h)

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L."""
        return {"concentration": amounts[5] / self.volume}
