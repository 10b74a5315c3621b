"""Indirect response IV: a response whose drug raises its loss."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.pk.turnover import AbstractTurnover


class StimulatedLoss(AbstractTurnover):
    """The drug raises its loss."""

    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """The effect saturates with the concentration."""
        return 1.0, 1.0 + effect
