"""Error of constant size."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractEndpoint, parameter
from pkpd.dynamics.endpoint.normal import normal_log_density


class Additive(AbstractEndpoint):
    """Normal error, `sd = additive`.

    `positive` conditions on values that are not negative (method M4).
    """

    additive: Float[Array, "*observation"] = parameter("value")
    positive: bool = eqx.field(static=True, default=False)

    def log_density(self, prediction: Array, value: Array, censored: Array) -> Float[Array, "*observation"]:
        """Log-density of each value; where censored, log-probability of lying below `value`."""
        return normal_log_density(prediction, value, censored, self.sd(prediction), positive=self.positive)

    def draw(self, prediction: Array, deviate: Array) -> Float[Array, "*observation"]:
        """Observation that a standard normal deviate makes of a prediction, before any limit."""
        return prediction + self.sd(prediction) * deviate

    def sd(self, prediction: Array) -> Array:
        """Standard deviation, in the unit of the prediction."""
        return self.additive + 0.0 * prediction
