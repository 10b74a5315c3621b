"""Indirect response I: a response whose drug slows its production."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.pk.turnover import AbstractTurnover


class InhibitedProduction(AbstractTurnover):
    """The drug slows its production."""

    def factors(self, effect: Array) -> tuple[Array | float, Array | float]:
        """The effect saturates with the concentration."""
        return 1.0 - effect, 1.0
