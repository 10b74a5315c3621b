"""A response that is made and lost, and a drug that acts on one of the two: indirect response models I to IV."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractSteppedPKModel, DoseTable, Lanes, State, parameter, route_parameter
from pkpd.dynamics.pk.followed import followed
from pkpd.dynamics.pk.saturation import michaelis_menten


class AbstractTurnover(AbstractSteppedPKModel):
    """One compartment with first-order absorption; the response starts at its baseline, in a unit of its own.

    References
    ----------
    Dayneka NL, Garg V, Jusko WJ. J Pharmacokinet Biopharm 1993;21:457, doi:10.1007/BF01061691.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "response")
    responses: ClassVar[tuple[str, ...]] = ("response",)
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "response": "1"}

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    baseline: Lanes = parameter("1")
    turnover: Lanes = parameter("1/h")
    max_effect: Lanes = parameter("1")
    half_effect: Lanes = parameter("mg/L")
    lag: Lanes = route_parameter("h", neutral=0.0)

    @abstractmethod
    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """What the drug makes of production and of loss."""

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return followed(self, doses, times_h, absorbed_into=0, direct=1, lag_h=self.lag)

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def initial(self) -> State:
        """No drug, and the response at its baseline."""
        return jnp.zeros(()), jnp.zeros(()), self.baseline

    def slope(self, amounts: State) -> State:
        """Absorption, elimination, production and loss."""
        depot, central, response = amounts
        level = central / self.volume
        made, lost = self.factors(michaelis_menten(self.max_effect, self.half_effect, level))
        absorbed = self.absorption * depot
        return (
            -absorbed,
            absorbed - self.clearance * level,
            self.turnover * (made * self.baseline - lost * response),
        )

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L, and the response."""
        return {"concentration": amounts[1] / self.volume, "response": amounts[2]}
