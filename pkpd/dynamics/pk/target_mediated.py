"""Target-mediated disposition in its quasi-steady state: two compartments, intravenous, and a receptor that turns over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractSteppedPKModel, DoseTable, Lanes, State, parameter
from pkpd.dynamics.pk.followed import followed


class TargetMediated(AbstractSteppedPKModel):
    """Binding is fast; free drug, receptor and complex are in balance at every moment.

    Concentrations of the receptor are those of the drug that would fill it, so that no molar mass is needed. `central` holds drug
    free and bound, `receptor` the receptor free and bound, times the central volume.

    References
    ----------
    Gibiansky L et al. J Pharmacokinet Pharmacodyn 2008;35:573, doi:10.1007/s10928-008-9102-8, equations of the quasi-steady-state
    approximation.
    """

    compartments: ClassVar[tuple[str, ...]] = ("central", "peripheral", "receptor")
    outputs: ClassVar[Mapping[str, str]] = {
        "concentration": "mg/L",
        "total_concentration": "mg/L",
        "receptor_occupancy": "1",
    }

    clearance: Lanes = parameter("L/h")
    central_volume: Lanes = parameter("L")
    intercompartmental_clearance: Lanes = parameter("L/h")
    peripheral_volume: Lanes = parameter("L")
    quasi_steady_constant: Lanes = parameter("mg/L")
    receptor_baseline: Lanes = parameter("mg/L")
    receptor_degradation: Lanes = parameter("1/h")
    internalization: Lanes = parameter("1/h")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Free plasma concentration, mg/L."""
        return followed(self, doses, times_h, absorbed_into=0, direct=0)

    def onset_h(self) -> float:
        """No delay."""
        return 0.0

    def initial(self) -> State:
        """No drug, and the receptor at its baseline."""
        return jnp.zeros(()), jnp.zeros(()), self.receptor_baseline * self.central_volume

    def slope(self, amounts: State) -> State:
        """Linear elimination and exchange of free drug, internalization of the complex, turnover of the receptor."""
        _, peripheral, receptor = amounts
        free, occupied = self._balance(amounts)
        bound = receptor * occupied
        exchange = self.intercompartmental_clearance * (free - peripheral / self.peripheral_volume)
        made = self.receptor_degradation * self.receptor_baseline * self.central_volume
        return (
            -self.clearance * free - exchange - self.internalization * bound,
            exchange,
            made - self.receptor_degradation * (receptor - bound) - self.internalization * bound,
        )

    def observe(self, amounts: State) -> dict[str, Array]:
        """Free and total concentration in plasma, mg/L, and the share of the receptor that is bound."""
        free, occupied = self._balance(amounts)
        return {
            "concentration": free,
            "total_concentration": amounts[0] / self.central_volume,
            "receptor_occupancy": occupied,
        }

    def _balance(self, amounts: State) -> tuple[Array, Array]:
        """Free concentration, and share of the receptor that is bound."""
        total, receptor = amounts[0] / self.central_volume, amounts[2] / self.central_volume
        constant = self.quasi_steady_constant
        excess = total - receptor - constant
        root = jnp.sqrt(jnp.square(excess) + 4.0 * constant * jnp.maximum(total, 0.0))
        # the two forms of the same root, each without cancellation on its side
        above = excess > 0.0
        free = jnp.where(above, 0.5 * (excess + root), 2.0 * constant * total / jnp.where(above, 1.0, root - excess))
        return free, free / (constant + free)
