"""Neutrophils under a drug whose effect on proliferation is proportional to its concentration."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.base import Lanes, parameter
from pkpd.dynamics.pk.myelosuppression import AbstractMyelosuppression


class FribergLinear(AbstractMyelosuppression):
    """The effect is `effect_slope C`; `effect_slope` is in L/mg.

    References
    ----------
    Friberg LE et al. J Clin Oncol 2002;20:4713, doi:10.1200/JCO.2002.02.140, with the linear form of the effect.
    """

    effect_slope: Lanes = parameter("L/mg")

    def effect(self, level: Array) -> Array:
        """Proportional to the concentration."""
        return self.effect_slope * level
