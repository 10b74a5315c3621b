"""Three compartments, intravenous, in closed form."""

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
)
from pkpd.dynamics.pk.mammillary import Disposition, three_compartments


class ThreeCompartment(AbstractLinearPKModel):
    """Intravenous doses and infusions.

    References
    ----------
    Gibaldi M, Perrier D. Pharmacokinetics, 2nd ed., 1982, chapter 2.
    """

    compartments: ClassVar[tuple[str, ...]] = ("central", "peripheral", "second_peripheral")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    central_volume: Lanes = parameter("L")
    intercompartmental_clearance: Lanes = parameter("L/h")
    peripheral_volume: Lanes = parameter("L")
    second_intercompartmental_clearance: Lanes = parameter("L/h")
    second_peripheral_volume: Lanes = parameter("L")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L."""
        return self._disposition().concentration(self.central_volume, doses, times_h)

    def onset_h(self) -> float:
        """No delay."""
        return 0.0

    def transition(self, length_h: Lanes) -> Transition:
        """Exact change of all amounts."""
        return self._disposition().transition(length_h)

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L."""
        return {"concentration": amounts[0] / self.central_volume}

    def _disposition(self) -> Disposition:
        return three_compartments(
            self.clearance,
            self.central_volume,
            (self.intercompartmental_clearance, self.second_intercompartmental_clearance),
            (self.peripheral_volume, self.second_peripheral_volume),
        )
