"""Two compartments with first-order absorption and lag, in closed form (oral CDK4/6 inhibitors in patients)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractPKModel, DoseTable, Lanes, parameter
from pkpd.dynamics.pk.modes import separate, superpose


class TwoCompartmentOral(AbstractPKModel):
    """Apparent parameters (divided by bioavailability).

    References
    ----------
    Gibaldi M, Perrier D. Pharmacokinetics, 2nd ed., 1982, chapter 2: the tri-exponential solution.
    """

    clearance: Lanes = parameter("L/h")
    central_volume: Lanes = parameter("L")
    intercompartmental_clearance: Lanes = parameter("L/h")
    peripheral_volume: Lanes = parameter("L")
    absorption_rate: Lanes = parameter("1/h")
    lag: Lanes | float = parameter("h")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L; doses that are not absorbed enter the central compartment."""
        out = self.clearance / self.central_volume
        there = self.intercompartmental_clearance / self.central_volume
        back = self.intercompartmental_clearance / self.peripheral_volume
        total = out + there + back
        slow = 2.0 * out * back / (total + jnp.sqrt(total**2 - 4.0 * out * back))
        fast = out * back / slow
        absorption = separate(separate(self.absorption_rate, fast), slow)
        direct = jnp.stack([(fast - back) / (fast - slow), (back - slow) / (fast - slow), jnp.zeros_like(fast)])
        share_fast = absorption * (back - fast) / ((absorption - fast) * (slow - fast))
        share_slow = absorption * (back - slow) / ((absorption - slow) * (fast - slow))
        absorbed = jnp.stack([share_fast, share_slow, -(share_fast + share_slow)])
        rates = jnp.stack([fast, slow, absorption + jnp.zeros_like(fast)])
        per_volume = 1.0 / self.central_volume
        return superpose(rates, absorbed * per_volume, direct * per_volume, doses, times_h, lag_h=self.lag)

    def onset_h(self) -> Lanes | float:
        """The lag."""
        return self.lag
