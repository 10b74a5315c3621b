"""One compartment with first-order absorption and Michaelis-Menten elimination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import (
    AbstractSteppedPKModel,
    DoseTable,
    Lanes,
    State,
    optional_parameter,
    parameter,
    route_parameter,
)
from pkpd.dynamics.pk.followed import followed
from pkpd.dynamics.pk.saturation import michaelis_menten


class OneCompartmentSaturableOral(AbstractSteppedPKModel):
    """Saturable elimination, with a linear path beside it where `clearance` is given.

    References
    ----------
    Wagner JG. J Pharmacokinet Biopharm 1973;1:103, doi:10.1007/BF01059625.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L"}

    volume: Lanes = parameter("L")
    max_elimination_rate: Lanes = parameter("mg/h")
    half_saturation: Lanes = parameter("mg/L")
    absorption: Lanes = parameter("1/h")
    clearance: Lanes = optional_parameter("L/h", absent=0.0)
    lag: Lanes = route_parameter("h", neutral=0.0)

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return followed(self, doses, times_h, absorbed_into=0, direct=1, lag_h=self.lag)

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def initial(self) -> State:
        """Nothing."""
        return (jnp.zeros(()),) * 2

    def slope(self, amounts: State) -> State:
        """Absorption, and elimination by both paths."""
        depot, central = amounts
        level = central / self.volume
        saturable = michaelis_menten(self.max_elimination_rate, self.half_saturation, level)
        absorbed = self.absorption * depot
        return -absorbed, absorbed - self.clearance * level - saturable

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L."""
        return {"concentration": amounts[1] / self.volume}
