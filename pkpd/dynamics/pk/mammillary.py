"""A central compartment with up to two around it, in closed form: both faces of the linear structures.

The exponential of the rate matrix is a sum of projectors times decaying exponentials. Absorption is a divided difference of
exponentials, computed so that nothing is lost where rate constants coincide.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import DoseTable, Lanes, Transition
from pkpd.dynamics.pk.modes import separate, superpose

_SMALL = 1e-5


class Disposition(eqx.Module):
    """Decay rates, 1/h, and for each the projector `[to][from]`; compartment 0 is central."""

    rates: tuple[Lanes, ...]
    projectors: tuple[tuple[tuple[Lanes, ...], ...], ...]

    def transition(self, length_h: Lanes, *, absorption: Lanes | None = None) -> Transition:
        """Change over an interval; with an absorption rate the first compartment is a depot that empties into central."""
        decays = [jnp.exp(-rate * length_h) for rate in self.rates]
        inputs = [length_h * relative_growth(-rate * length_h) for rate in self.rates]
        size = range(len(self.rates))
        matrix = [[self._mix(decays, to, start) for start in size] for to in size]
        response = [[self._mix(inputs, to, start) for start in size] for to in size]
        if absorption is None:
            return Transition(_frozen(matrix), _frozen(response))
        passed = [divided_difference(absorption, rate, length_h) for rate in self.rates]
        arrived = [absorption * each for each in passed]
        later = [whole - part for whole, part in zip(inputs, passed, strict=True)]
        empty = [None] * len(self.rates)
        left = length_h * relative_growth(-absorption * length_h)
        return Transition(
            _frozen(
                [[jnp.exp(-absorption * length_h), *empty], *([self._mix(arrived, to, 0), *matrix[to]] for to in size)]
            ),
            _frozen([[left, *empty], *([self._mix(later, to, 0), *response[to]] for to in size)]),
        )

    def concentration(
        self,
        volume: Lanes,
        doses: DoseTable,
        times_h: Float[Array | np.ndarray, "time ..."],
        *,
        absorption: Lanes | None = None,
        lag_h: Lanes | float = 0.0,
        bioavailability: Lanes | float = 1.0,
    ) -> Float[Array, "time ..."]:
        """Total plasma concentration, mg/L, by superposition; doses that are not absorbed enter the central compartment."""
        direct = [projector[0][0] / volume for projector in self.projectors]
        if absorption is None:
            rates = jnp.stack(jnp.broadcast_arrays(*self.rates))
            weights = jnp.stack(jnp.broadcast_arrays(*direct))
            return superpose(rates, weights, weights, doses, times_h)
        for rate in reversed(self.rates):
            absorption = separate(absorption, rate)
        shares = [
            bioavailability * absorption * weight / (absorption - rate)
            for weight, rate in zip(direct, self.rates, strict=True)
        ]
        rates = jnp.stack(jnp.broadcast_arrays(*self.rates, absorption))
        absorbed = jnp.stack(jnp.broadcast_arrays(*shares, -sum(shares)))
        weights = jnp.stack(jnp.broadcast_arrays(*direct, jnp.zeros(())))
        return superpose(rates, absorbed, weights, doses, times_h, lag_h=lag_h)

    def _mix(self, terms: list[Array], to: int, start: int) -> Array:
        parts = [projector[to][start] * term for projector, term in zip(self.projectors, terms, strict=True)]
        return sum(parts[1:], parts[0])


def one_compartment(clearance: Lanes, volume: Lanes) -> Disposition:
    """Decay of a single compartment."""
    return Disposition(rates=(clearance / volume,), projectors=(((jnp.ones(()),),),))


def two_compartments(clearance: Lanes, volume: Lanes, exchange: Lanes, peripheral: Lanes) -> Disposition:
    """Fast and slow decay, from clearances and volumes."""
    out, there, back = clearance / volume, exchange / volume, exchange / peripheral
    total = out + there + back
    apart = jnp.sqrt(jnp.square(out + there - back) + 4.0 * there * back)
    fast = 0.5 * (total + apart)
    slow = out * back / fast
    matrix = ((-(out + there), back), (there, -back))
    return Disposition(rates=(fast, slow), projectors=_projectors(matrix, (fast, slow)))


def three_compartments(
    clearance: Lanes, volume: Lanes, exchanges: tuple[Lanes, Lanes], outer: tuple[Lanes, Lanes]
) -> Disposition:
    """Three decays: roots of a cubic, all real because the rate matrix is similar to a symmetric one."""
    out = clearance / volume
    there = (exchanges[0] / volume, exchanges[1] / volume)
    back = (exchanges[0] / outer[0], exchanges[1] / outer[1])
    leaving = out + there[0] + there[1]
    first = leaving + back[0] + back[1]
    second = out * (back[0] + back[1]) + there[0] * back[1] + there[1] * back[0] + back[0] * back[1]
    third = out * back[0] * back[1]
    mean = first / 3.0
    spread = jnp.sqrt(jnp.maximum((first * first - 3.0 * second) / 9.0, 0.0))
    cosine = (2.0 * first**3 - 9.0 * first * second + 27.0 * third) / (54.0 * spread**3)
    angle = jnp.arccos(jnp.clip(cosine, -1.0 + 1e-15, 1.0 - 1e-15)) / 3.0
    fast = mean + 2.0 * spread * jnp.cos(angle)
    middle = mean + 2.0 * spread * jnp.cos(angle - 2.0 * math.pi / 3.0)
    # the sum of the roots loses the small ones; their product does not
    rest = third / fast
    middle = jnp.maximum(middle, jnp.sqrt(rest))
    rates = (fast, middle, rest / middle)
    none = jnp.zeros_like(out)
    matrix = ((-leaving, back[0], back[1]), (there[0], -back[0], none), (there[1], none, -back[1]))
    return Disposition(rates=rates, projectors=_projectors(matrix, rates))


def divided_difference(one: Lanes, other: Lanes, length_h: Lanes) -> Array:
    """`(exp(-other t) - exp(-one t)) / (one - other)`, also where both are equal."""
    distance = jnp.abs(one - other)
    return length_h * jnp.exp(-jnp.minimum(one, other) * length_h) * relative_growth(-distance * length_h)


def relative_growth(exponent: Array) -> Array:
    """`(exp(x) - 1) / x`, and 1 at 0."""
    small = jnp.abs(exponent) < _SMALL
    safe = jnp.where(small, 1.0, exponent)
    return jnp.where(small, 1.0 + exponent * (0.5 + exponent / 6.0), jnp.expm1(safe) / safe)


def _projectors(
    matrix: tuple[tuple[Array, ...], ...], rates: tuple[Array, ...]
) -> tuple[tuple[tuple[Array, ...], ...], ...]:
    """For each decay rate the product of `(matrix + other) / (other - own)` over the other rates."""
    found = []
    for own, rate in enumerate(rates):
        product: list[list[Array]] | None = None
        for other, shift in enumerate(rates):
            if other == own:
                continue
            scale = 1.0 / (shift - rate)
            factor = [
                [(entry + shift if i == j else entry) * scale for j, entry in enumerate(row)]
                for i, row in enumerate(matrix)
            ]
            product = factor if product is None else _times(product, factor)
        assert product is not None
        found.append(tuple(tuple(row) for row in product))
    return tuple(found)


def _times(left: list[list[Array]], right: list[list[Array]]) -> list[list[Array]]:
    size = range(len(left))
    return [[sum((left[i][k] * right[k][j] for k in size), jnp.zeros(())) for j in size] for i in size]


def _frozen(rows: list[list[Array | None]] | list[list[Array]]) -> tuple[tuple[Array | None, ...], ...]:
    return tuple(tuple(row) for row in rows)
