"""One compartment, intravenous or through an absorption site without lag, in closed form (antibodies in mice)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractPKModel, DoseTable, Lanes, parameter
from pkpd.dynamics.pk.one_compartment_oral import OneCompartmentOral


class OneCompartment(AbstractPKModel):
    """Linear elimination; intraperitoneal doses are absorbed, intravenous doses and infusions are not."""

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    absorption_rate: Lanes = parameter("1/h")
    bioavailability: Lanes = parameter("1")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        with_lag = OneCompartmentOral(
            clearance=self.clearance,
            volume=self.volume,
            absorption_rate=self.absorption_rate,
            lag=0.0,
            bioavailability=self.bioavailability,
        )
        return with_lag.concentration(doses, times_h)

    def onset_h(self) -> float:
        """No delay."""
        return 0.0
