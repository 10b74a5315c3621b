"""One compartment with first-order absorption, lag and bioavailability, in closed form (oral drugs in mice)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractPKModel, DoseTable, Lanes, parameter
from pkpd.dynamics.pk.modes import separate, superpose


class OneCompartmentOral(AbstractPKModel):
    """Clearance and volume are systemic; absorbed doses are multiplied by the bioavailability."""

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption_rate: Lanes = parameter("1/h")
    lag: Lanes | float = parameter("h")
    bioavailability: Lanes = parameter("1")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L; doses that are not absorbed enter the central compartment."""
        out = self.clearance / self.volume
        absorption = separate(self.absorption_rate, out)
        share = self.bioavailability * absorption / (absorption - out)
        rates = jnp.stack(jnp.broadcast_arrays(out, absorption))
        absorbed = jnp.stack(jnp.broadcast_arrays(share, -share)) / self.volume
        direct = jnp.stack(jnp.broadcast_arrays(1.0 / self.volume, jnp.zeros_like(share)))
        return superpose(rates, absorbed, direct, doses, times_h, lag_h=self.lag)

    def onset_h(self) -> Lanes | float:
        """The lag."""
        return self.lag
