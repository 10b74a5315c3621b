"""Saturable rates."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import Lanes


def michaelis_menten(most: Lanes, half: Lanes, level: Array) -> Array:
    """`most level / (half + level)`; linear below zero, where a step may overshoot by a rounding error."""
    return most * level / (half + jnp.maximum(level, 0.0))
