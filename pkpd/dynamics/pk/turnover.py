"""A response that is made and lost, and a drug that acts on one of the two: indirect response models I to IV."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Array

from pkpd.dynamics.base import Lanes, State, parameter
from pkpd.dynamics.pk.driven_response import AbstractDrivenResponse
from pkpd.dynamics.pk.saturation import michaelis_menten


class AbstractTurnover(AbstractDrivenResponse):
    """One compartment with first-order absorption; the response starts at its baseline, in a unit of its own.

    References
    ----------
    Dayneka NL, Garg V, Jusko WJ. J Pharmacokinet Biopharm 1993;21:457, doi:10.1007/BF01061691.
    """

    compartments: ClassVar[tuple[str, ...]] = ("depot", "central", "response")
    responses: ClassVar[tuple[str, ...]] = ("response",)
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L", "response": "1"}

    baseline: Lanes = parameter("1")
    turnover: Lanes = parameter("1/h")
    max_effect: Lanes = parameter("1")
    half_effect: Lanes = parameter("mg/L")

    @abstractmethod
    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """What the drug makes of production and of loss."""

    def response_start(self) -> State:
        """The baseline."""
        return (self.baseline,)

    def response_slope(self, level: Array, response: State) -> State:
        """Production and loss."""
        made, lost = self.factors(michaelis_menten(self.max_effect, self.half_effect, level))
        return (self.turnover * (made * self.baseline - lost * response[0]),)

    def response_outputs(self, response: State) -> dict[str, Array]:
        """The response."""
        return {"response": response[0]}
