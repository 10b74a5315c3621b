"""Error that grows with the prediction."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractEndpoint, parameter
from pkpd.dynamics.endpoint.normal import SMALLEST, normal_log_density


class Proportional(AbstractEndpoint):
    """Normal error, `sd = proportional * prediction`.

    `positive` conditions on values that are not negative (method M4).
    """

    proportional: Float[Array, "*observation"] = parameter("1")
    positive: bool = eqx.field(static=True, default=False)

    def log_density(self, prediction: Array, value: Array, censored: Array) -> Float[Array, "*observation"]:
        """Log-density of each value; where censored, log-probability of lying below `value`."""
        return normal_log_density(prediction, value, censored, self.sd(prediction), positive=self.positive)

    def draw(self, prediction: Array, deviate: Array) -> Float[Array, "*observation"]:
        """Observation that a standard normal deviate makes of a prediction, before any limit."""
        return prediction + self.sd(prediction) * deviate

    def sd(self, prediction: Array) -> Array:
        """Standard deviation, in the unit of the prediction."""
        return self.proportional * jnp.maximum(prediction, SMALLEST)
