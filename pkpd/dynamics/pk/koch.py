"""Tumor growth inhibition without delay: growth that turns from exponential to linear, and a kill in proportion to the drug."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Array

from pkpd.dynamics.base import Lanes, State, parameter
from pkpd.dynamics.pk.driven_response import AbstractDrivenResponse


class Koch(AbstractDrivenResponse):
    """One compartment with first-order absorption; `dw/dt = 2 l0 l1 w / (l1 + 2 l0 w) - k C w`.

    `growth_rate` is l0 (1/h): a small tumor grows at twice that rate, as published; `linear_growth` is l1 (mm^3/h), the growth of a
    large one; `potency` is k (L/mg/h) and `initial_volume` the volume (mm^3) at the first record and after a reset. What is killed is
    gone at once: the stages of dying cells of the paper are left out.

    References
    ----------
    Koch G et al. J Pharmacokinet Pharmacodyn 2009;36:179, doi:10.1007/s10928-009-9117-9, growth law.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "tumor")
    responses: ClassVar[tuple[str, ...]] = ("tumor",)
    grows: ClassVar[bool] = True
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "tumor_volume": "mm^3"}

    growth_rate: Lanes = parameter("1/h")
    linear_growth: Lanes = parameter("mm^3/h")
    potency: Lanes = parameter("L/mg/h")
    initial_volume: Lanes = parameter("mm^3")

    def response_start(self) -> State:
        """The initial volume."""
        return (self.initial_volume,)

    def response_slope(self, level: Array, response: State) -> State:
        """Growth and kill."""
        (tumor,) = response
        fast = 2.0 * self.growth_rate
        growth = fast * self.linear_growth / (self.linear_growth + fast * tumor)
        return ((growth - self.potency * level) * tumor,)

    def response_outputs(self, response: State) -> dict[str, Array]:
        """Volume of the tumor, mm^3."""
        return {"tumor_volume": response[0]}
