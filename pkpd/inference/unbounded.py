"""Numbers with a prior as numbers without bounds, for searches and samplers that are not PyMC's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.domain.prior import Family, Prior, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbounded:
    """One number as a function of another that may be anything.

    Attributes
    ----------
    value
        The number, in its own unit.
    inverse
        Back from it.
    log_density
        Of the unbounded number, up to a constant.
    """

    value: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    log_density: Callable[[Array], Array]


def unbounded(prior: Prior) -> Unbounded:
    """Deviate of a normal, log-normal or logit-normal prior; else the logarithm of the value over its scale, or the logit of a share.

    Raises
    ------
    ValueError
        If the prior fixes its value.
    """
    location, scale = prior.location, prior.scale
    match prior.family:
        case Family.LOGNORMAL:
            return Unbounded(
                value=lambda z: location * jnp.exp(scale * z),
                inverse=lambda x: jnp.log(x / location) / scale,
                log_density=_normal,
            )
        case Family.LOGITNORMAL:
            center = jax.scipy.special.logit(location)
            return Unbounded(
                value=lambda z: jax.nn.sigmoid(center + scale * z),
                inverse=lambda x: (jax.scipy.special.logit(x) - center) / scale,
                log_density=_normal,
            )
        case Family.NORMAL:
            return Unbounded(
                value=lambda z: location + scale * z, inverse=lambda x: (x - location) / scale, log_density=_normal
            )
        case Family.HALFNORMAL:
            return _positive(scale, lambda z: z - 0.5 * jnp.exp(2.0 * z))
        case Family.HALFCAUCHY:
            return _positive(scale, lambda z: z - jax.nn.softplus(2.0 * z))
        case Family.BETA:
            return share(location, scale)
        case Family.FIXED:
            raise ValueError("a fixed value has nothing to move")


def on_scale(scale: Scale, value: Array) -> Array:
    """A value on the scale on which individuals are moved."""
    match scale:
        case Scale.LOG:
            return jnp.log(value)
        case Scale.LOGIT:
            return jax.scipy.special.logit(value)
        case Scale.LINEAR:
            return value


def share(a: float, b: float) -> Unbounded:
    """Logit of a share with a beta prior of shapes `a` and `b`."""
    return Unbounded(
        value=jax.nn.sigmoid,
        inverse=jax.scipy.special.logit,
        log_density=lambda z: a * jax.nn.log_sigmoid(z) + b * jax.nn.log_sigmoid(-z),
    )


def _positive(scale: float, log_density: Callable[[Array], Array]) -> Unbounded:
    return Unbounded(value=lambda z: scale * jnp.exp(z), inverse=lambda x: jnp.log(x / scale), log_density=log_density)


def _normal(z: Array) -> Array:
    return -0.5 * z**2
