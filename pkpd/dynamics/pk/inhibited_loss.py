"""Indirect response II: a response whose drug slows its loss."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.pk.turnover import AbstractTurnover


class InhibitedLoss(AbstractTurnover):
    """The drug slows its loss."""

    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """The effect saturates with the concentration."""
        return 1.0, 1.0 - effect
