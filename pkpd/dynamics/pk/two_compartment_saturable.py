"""Two compartments with linear plus saturable elimination (antibodies in patients), by an L-stable implicit method.

There is no closed form. Below the half-saturation constant the saturable path is stiff (tens per day), above it it is of order
zero; an infusion crosses from one to the other within seconds. A diagonally implicit method takes steps of hours through both,
because each of its stages is only a quadratic equation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractSteppedPKModel, DoseTable, Lanes, State, parameter

MAX_STEP_H = 2.0
AFTER_CHANGE_H = (
    0.0,
    0.03,
    0.3,
    1.0,
)  # short steps after a dose and after the end of an infusion, where the curve bends
# SDIRK of order 4 with five stages: the weight of a stage's own slope, and the weights of the stages before it.
STAGE_WEIGHT = 1.0 / 4.0
EARLIER_STAGES = (
    (),
    (1.0 / 2.0,),
    (17.0 / 50.0, -1.0 / 25.0),
    (371.0 / 1360.0, -137.0 / 2720.0, 15.0 / 544.0),
    (25.0 / 24.0, -49.0 / 48.0, 125.0 / 16.0, -85.0 / 12.0),
)


class TwoCompartmentSaturable(AbstractSteppedPKModel):
    """Intravenous doses, bolus or infusion.

    References
    ----------
    Structure: Azzopardi N et al. Clin Cancer Res 2011;17:6329, with the zero-order term written as a saturable one.
    Method: SDIRK of order 4, Hairer E, Wanner G. Solving Ordinary Differential Equations II, 1996, table IV.6.5.
    """

    compartments: ClassVar[tuple[str, ...]] = ("central", "peripheral")
    outputs: ClassVar[Mapping[str, str]] = {"concentration": "mg/L"}

    clearance: Lanes = parameter("L/h")
    central_volume: Lanes = parameter("L")
    peripheral_volume: Lanes = parameter("L")
    intercompartmental_clearance: Lanes = parameter("L/h")
    max_elimination_rate: Lanes = parameter("mg/h")
    half_saturation: Lanes = parameter("mg/L")

    def concentration(
        self, doses: DoseTable, times_h: Float[Array | np.ndarray, "time ..."]
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L, up to `doses.end_h`; between steps by cubic Hermite interpolation."""
        lanes = jnp.broadcast_shapes(jnp.shape(self.clearance), doses.amount_mg.shape[1:])
        amounts = jnp.broadcast_to(doses.amount_mg, (doses.amount_mg.shape[0], *lanes))
        ends = doses.time_h + doses.duration_h
        last_h = doses.end_h
        regular = jnp.linspace(0.0, 1.0, max(2, math.ceil(doses.end_h / MAX_STEP_H)) + 1) * last_h
        changes = [moment + after for moment in (doses.time_h, ends) for after in AFTER_CHANGE_H]
        edges = jnp.sort(jnp.clip(jnp.concatenate([regular, *changes]), 0.0, last_h))
        lengths = jnp.diff(edges)
        middles = edges[:-1] + 0.5 * lengths
        infused = doses.duration_h > 0
        running = (doses.time_h <= middles[:, None]) & (middles[:, None] < ends) & infused
        speed = amounts / jnp.reshape(jnp.where(infused, doses.duration_h, 1.0), (-1,) + (1,) * len(lanes))
        inputs = jnp.tensordot(running.astype(amounts.dtype), speed, axes=1)
        first_step = jnp.searchsorted(edges, doses.time_h, side="right") - 1
        in_range = (~infused) & (doses.time_h < last_h)
        bolus = (
            jnp.zeros_like(inputs)
            .at[first_step]
            .add(amounts * jnp.reshape(in_range, (-1,) + (1,) * len(lanes)), mode="drop")
        )
        start = jnp.zeros(lanes)

        def step(
            state: tuple[Array, Array], x: tuple[Array, Array, Array]
        ) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
            length, speed_in, bolus_in = x
            state = (state[0] + bolus_in, state[1])
            left = self._rate(*state, speed_in)[0]
            after = self._advance(state, speed_in, length)
            right = self._rate(*after, speed_in)[0]
            return after, (state[0], after[0], left, right)

        _, (before, after, left, right) = jax.lax.scan(step, (start, start), (lengths, inputs, bolus))
        index = jnp.clip(jnp.searchsorted(edges, times_h, side="left") - 1, 0, lengths.shape[0] - 1)
        width = jnp.reshape(lengths[index], (-1,) + (1,) * len(lanes))
        at = jnp.reshape(times_h - edges[index], width.shape) / jnp.where(width > 0, width, 1.0)
        amount = _hermite(at, before[index], after[index], left[index] * width, right[index] * width)
        amount = jnp.where(jnp.reshape(times_h, width.shape) > 0, amount, 0.0)
        return jnp.maximum(amount, 0.0) / self.central_volume

    def onset_h(self) -> float:
        """No delay."""
        return 0.0

    def initial(self) -> State:
        """Nothing."""
        return (jnp.zeros(()), jnp.zeros(()))

    def slope(self, amounts: State) -> State:
        """Linear and saturable elimination, and exchange."""
        return self._rate(amounts[0], amounts[1], jnp.zeros(()))

    def observe(self, amounts: State) -> dict[str, Array]:
        """Total plasma concentration, mg/L."""
        return {"concentration": amounts[0] / self.central_volume}

    def _rate(self, central: Array, peripheral: Array, speed_in: Array) -> tuple[Array, Array]:
        concentration = central / self.central_volume
        exchange = self.intercompartmental_clearance * (concentration - peripheral / self.peripheral_volume)
        saturable = self.max_elimination_rate * concentration / (self.half_saturation + jnp.maximum(concentration, 0.0))
        return speed_in - self.clearance * concentration - exchange - saturable, exchange

    def _advance(self, state: tuple[Array, Array], speed_in: Array, length: Array) -> tuple[Array, Array]:
        """One implicit step; each stage is a quadratic equation in the concentration, solved in closed form."""
        reach = STAGE_WEIGHT * length
        back = self.intercompartmental_clearance / self.peripheral_volume
        shared = 1.0 / (1.0 + reach * back)
        flow = reach * self.intercompartmental_clearance
        linear = self.central_volume + reach * self.clearance + flow - flow * reach * back * shared
        saturable = reach * self.max_elimination_rate
        slopes: list[tuple[Array, Array]] = []
        central, peripheral = state
        for row in EARLIER_STAGES:
            base = [
                start + length * sum(weight * slope[which] for weight, slope in zip(row, slopes, strict=True))
                for which, start in enumerate(state)
            ]
            supply = base[0] + reach * (speed_in + back * base[1] * shared)
            middle = linear * self.half_saturation + saturable - supply
            root = jnp.sqrt(middle * middle + 4.0 * linear * supply * self.half_saturation + 1e-300)
            # the two forms of the same root, each without cancellation on its side
            concentration = jnp.where(
                middle > 0.0,
                2.0 * supply * self.half_saturation / jnp.where(middle > 0.0, middle + root, 1.0),
                (root - middle) / (2.0 * linear),
            )
            central = self.central_volume * concentration
            peripheral = (base[1] + flow * concentration) * shared
            slopes.append(self._rate(central, peripheral, speed_in))
        return central, peripheral


def _hermite(at: Array, left: Array, right: Array, slope_left: Array, slope_right: Array) -> Array:
    """Cubic through two values and two slopes (times the step length) at `at` in [0, 1]."""
    rest = 1.0 - at
    return (
        rest * rest * (1.0 + 2.0 * at) * left
        + at * at * (3.0 - 2.0 * at) * right
        + at * rest * (rest * slope_left - at * slope_right)
    )
