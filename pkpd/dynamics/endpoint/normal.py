"""What the normal residual errors share: density, censoring below a limit, and draws."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

# A prediction of exactly zero has no logarithm, no power and no proportional error.
SMALLEST = 1e-12


def normal_log_density(prediction: Array, value: Array, censored: Array, sd: Array, *, positive: bool) -> Array:
    """Log-density of each value; where censored, log-probability of lying below `value`.

    Parameters
    ----------
    positive
        Given that no value is negative (method M4): densities are divided by the probability of that.

    References
    ----------
    Methods M3 and M4 of Beal SL. J Pharmacokinet Pharmacodyn 2001;28:481, doi:10.1023/A:1012299115260.
    """
    deviation = (value - prediction) / sd
    known = jax.scipy.stats.norm.logpdf(deviation) - jnp.log(sd)
    below = jax.scipy.stats.norm.logcdf(deviation)
    if not positive:
        return jnp.where(censored, below, known)
    above_zero = jax.scipy.stats.norm.logcdf(prediction / sd)
    negative = jax.scipy.stats.norm.logcdf(-prediction / sd)
    return jnp.where(censored, _log_difference(below, negative), known) - above_zero


def _log_difference(larger: Array, smaller: Array) -> Array:
    """Logarithm of exp(larger) - exp(smaller), finite with finite slopes where the two are close."""
    gap = jnp.minimum(smaller - larger, -1e-12)
    return larger + jnp.log(-jnp.expm1(gap))
