"""Indirect response III: a response whose drug raises its production."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.pk.turnover import AbstractTurnover


class StimulatedProduction(AbstractTurnover):
    """The drug raises its production."""

    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """The effect saturates with the concentration."""
        return 1.0 + effect, 1.0
