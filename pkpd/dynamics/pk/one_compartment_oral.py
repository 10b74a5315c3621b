"""One compartment with first-order absorption, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import (
    AbstractLinearPKModel,
    DoseTable,
    Lanes,
    State,
    Transition,
    parameter,
    route_parameter,
)
from pkpd.dynamics.pk.mammillary import Disposition, one_compartment


class OneCompartmentOral(AbstractLinearPKModel):
    """Clearance and volume are systemic; absorbed doses are multiplied by the bioavailability."""

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption: Lanes = parameter("1/h")
    lag: Lanes = route_parameter("h", neutral=0.0)
    bioavailability: Lanes = route_parameter("1", neutral=1.0)

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return self._disposition().concentration(
            self.volume,
            doses,
            times_h,
            absorption=self.absorption,
            lag_h=self.lag,
            bioavailability=self.bioavailability,
        )

    def onset_h(self) -> Lanes | float:
        """The lag."""
        return self.lag

    def transition(self, length_h: Lanes) -> Transition:
        """Exact change of all amounts."""
        return self._disposition().transition(length_h, absorption=self.absorption)

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L."""
        return {"concentration": amounts[1] / self.volume}

    def _disposition(self) -> Disposition:
        return one_compartment(self.clearance, self.volume)
