"""Neutrophils under a drug whose effect on proliferation saturates."""

from __future__ import annotations

from jaxtyping import Array

from pkpd.dynamics.base import Lanes, parameter
from pkpd.dynamics.pk.myelosuppression import AbstractMyelosuppression
from pkpd.dynamics.pk.saturation import michaelis_menten


class Friberg(AbstractMyelosuppression):
    """The effect is `max_effect C / (half_effect + C)`; `half_effect` is in mg/L.

    References
    ----------
    Friberg LE et al. J Clin Oncol 2002;20:4713, doi:10.1200/JCO.2002.02.140, with the Emax form of the effect.
    """

    max_effect: Lanes = parameter("1")
    half_effect: Lanes = parameter("mg/L")

    def effect(self, level: Array) -> Array:
        """Saturates with the concentration."""
        return michaelis_menten(self.max_effect, self.half_effect, level)
