"""Natural growth laws of a tumor; one is chosen by name in the analysis."""

from __future__ import annotations

import jax.numpy as jnp

from pkpd.dynamics.base import AbstractGrowthLaw, Lanes, parameter


class Exponential(AbstractGrowthLaw):
    """Constant doubling time."""

    growth_rate: Lanes = parameter("1/h")

    def clock_rate(self, clock: Lanes) -> Lanes:
        """No aging."""
        return jnp.zeros_like(clock)

    def per_volume(self, volume: Lanes, clock: Lanes) -> Lanes:
        """The growth rate itself."""
        return self.growth_rate + jnp.zeros_like(volume)


class Logistic(AbstractGrowthLaw):
    """Growth that stops at a carrying capacity."""

    growth_rate: Lanes = parameter("1/h")
    carrying_capacity: Lanes = parameter("mm^3")

    def clock_rate(self, clock: Lanes) -> Lanes:
        """No aging."""
        return jnp.zeros_like(clock)

    def per_volume(self, volume: Lanes, clock: Lanes) -> Lanes:
        """Falls linearly with volume."""
        return self.growth_rate * (1.0 - volume / self.carrying_capacity)


class Gompertz(AbstractGrowthLaw):
    """Growth rate that decays with the age of the tumor, whatever its size (Gompertz as a clock).

    Without treatment this is the Gompertz curve; under treatment the tumor does not regain its youth, which suits short xenograft
    series better than the form in the volume.
    """

    growth_rate: Lanes = parameter("1/h")
    growth_decay: Lanes = parameter("1/h")

    def clock_rate(self, clock: Lanes) -> Lanes:
        """Exponential decay of the factor."""
        return -self.growth_decay * clock

    def per_volume(self, volume: Lanes, clock: Lanes) -> Lanes:
        """Initial rate times the factor."""
        return self.growth_rate * clock + jnp.zeros_like(volume)


class Simeoni(AbstractGrowthLaw):
    """Exponential growth that turns linear.

    References
    ----------
    Simeoni M et al. Cancer Res 2004;64:1094, doi:10.1158/0008-5472.CAN-03-2524. The exponent 20 of the paper is 8 here: the turn is
    a little softer, its derivative stays bounded, and three square roots replace a power.
    """

    growth_rate: Lanes = parameter("1/h")
    linear_growth: Lanes = parameter("mm^3/h")

    def clock_rate(self, clock: Lanes) -> Lanes:
        """No aging."""
        return jnp.zeros_like(clock)

    def per_volume(self, volume: Lanes, clock: Lanes) -> Lanes:
        """Exponential while small, `linear_growth / volume` while large."""
        ratio = self.growth_rate * volume / self.linear_growth
        fourth = jnp.square(jnp.square(ratio))
        return self.growth_rate / jnp.sqrt(jnp.sqrt(jnp.sqrt(1.0 + jnp.square(fourth))))
