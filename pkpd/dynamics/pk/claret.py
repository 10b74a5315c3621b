"""Tumor growth inhibition with resistance: exponential growth, and a kill that wanes with time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import Lanes, State, parameter
from pkpd.dynamics.pk.driven_response import AbstractDrivenResponse


class Claret(AbstractDrivenResponse):
    """One compartment with first-order absorption; `dy/dt = KL y - KD C exp(-lambda t) y`, exposure being the concentration.

    `growth_rate` is KL (1/h), `kill_rate` KD (L/mg/h), `resistance_rate` lambda (1/h), `baseline_size` the size (mm) at the first
    record. The compartment `sensitivity` holds `exp(-lambda t)`: time counts from the first record, or from a reset, which should
    therefore be the start of treatment.

    References
    ----------
    Claret L et al. J Clin Oncol 2009;27:4103, doi:10.1200/JCO.2008.21.0807.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "tumor", "sensitivity")
    responses: ClassVar[tuple[str, ...]] = compartments[2:]
    grows: ClassVar[bool] = True
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "tumor_size": "mm"}

    growth_rate: Lanes = parameter("1/h")
    kill_rate: Lanes = parameter("L/mg/h")
    resistance_rate: Lanes = parameter("1/h")
    baseline_size: Lanes = parameter("mm")

    def response_start(self) -> State:
        """The baseline, fully sensitive."""
        return self.baseline_size, jnp.ones(())

    def response_slope(self, level: Array, response: State) -> State:
        """Growth, kill, and the loss of sensitivity."""
        tumor, sensitivity = response
        return (
            (self.growth_rate - self.kill_rate * level * sensitivity) * tumor,
            -self.resistance_rate * sensitivity,
        )

    def response_outputs(self, response: State) -> dict[str, Array]:
        """Size of the tumor, mm."""
        return {"tumor_size": response[0]}
