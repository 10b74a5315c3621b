"""A positive quantity observed with a log-normal error, known or below a limit."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractEndpoint, parameter


class Continuous(AbstractEndpoint):
    """Tumor volume, neutrophils: `log(value) ~ normal(log(prediction), residual)`.

    References
    ----------
    Values below the limit count by their probability, method M3 of Beal SL. J Pharmacokinet Pharmacodyn 2001;28:481,
    doi:10.1023/A:1012299115260.
    """

    residual: Float[Array, "*observation"] = parameter("1")
    # Method M4 of Beal: the values of this error are never negative, so that M3 and M4 are the same.
    positive: bool = eqx.field(static=True, default=False)

    def log_density(self, prediction: Array, value: Array, censored: Array) -> Float[Array, "*observation"]:
        """Log-density of the logarithm of each value; where censored, log-probability of lying below `value`."""
        deviation = (jnp.log(value) - jnp.log(prediction)) / self.residual
        known = jax.scipy.stats.norm.logpdf(deviation) - jnp.log(self.residual)
        return jnp.where(censored, jax.scipy.stats.norm.logcdf(deviation), known)

    def draw(self, prediction: Array, deviate: Array) -> Float[Array, "*observation"]:
        """Observation that a standard normal deviate makes of a prediction, before any limit."""
        return prediction * jnp.exp(self.residual * deviate)
