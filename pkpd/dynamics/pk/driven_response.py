"""One compartment with first-order absorption whose plasma concentration drives a response: what all such structures share."""

from __future__ import annotations

from abc import abstractmethod

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractDrivenPKModel, DoseTable, Lanes, State, Transition, parameter, route_parameter
from pkpd.dynamics.pk.one_compartment_oral import OneCompartmentOral


class AbstractDrivenResponse(AbstractDrivenPKModel):
    """Depot and central compartment come first, then those of the response."""

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    lag: Lanes = route_parameter("h", neutral=0.0)

    @abstractmethod
    def response_start(self) -> State:
        """The response before anything was given."""

    @abstractmethod
    def response_slope(self, level: Array, response: State) -> State:
        """Time derivative of the response, per hour, at a plasma concentration, mg/L."""

    @abstractmethod
    def response_outputs(self, response: State) -> dict[str, Array]:
        """What is seen of the response, by name."""

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return self._drug().concentration(doses, times_h)

    def onset_h(self) -> Lanes:
        """The lag."""
        return jnp.asarray(self.lag)

    def initial(self) -> State:
        """No drug, and the response at its start."""
        return jnp.zeros(()), jnp.zeros(()), *self.response_start()

    def drug_transition(self, length_h: Lanes) -> Transition:
        """Exact change of depot and central compartment."""
        return self._drug().transition(length_h)

    def slope(self, amounts: State) -> State:
        """Absorption, elimination, and what the concentration makes of the response."""
        depot, central, *response = amounts
        level = central / self.volume
        absorbed = self.absorption * depot
        return -absorbed, absorbed - self.clearance * level, *self.response_slope(level, tuple(response))

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L, and the response."""
        return {"concentration": amounts[1] / self.volume} | self.response_outputs(tuple(amounts[2:]))

    def _drug(self) -> OneCompartmentOral:
        return OneCompartmentOral(
            clearance=self.clearance,
            volume=self.volume,
            absorption=self.absorption,
            lag=self.lag,
            bioavailability=jnp.ones(()),
        )
