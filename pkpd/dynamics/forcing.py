"""Drives within each step, as the line with the same integral and first moment.

A drug's effect changes faster than the states it drives. Sampling it at the stages of a Runge-Kutta step wastes steps; replacing
it within each step by its Legendre projection of degree one keeps its integral, and steps of many hours suffice.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd.dynamics.timeline import Grid

SERIES_BELOW = 0.3


class Forcing(NamedTuple):
    """A drive within each step: `mean + slope * s`, `s` from -1 at the start to 1 at the end."""

    mean: Float[Array, "step *lane"]
    slope: Float[Array, "step *lane"]


class Quadrature(NamedTuple):
    """Nodes within every step, and the weights that take values there to a `Forcing`."""

    times_h: Float[Array, "step node *lane"]
    mean_weights: Float[Array, "step node *lane"]
    slope_weights: Float[Array, "step node *lane"]


def quadrature(grid: Grid, onset_h: Array) -> Quadrature:
    """Gauss nodes on both sides of the onset of a dose at the start of the step, crowded after it.

    A drug that is absorbed with a lag has a kink at the lag, and rises steeply, like a power, after it. A third of the nodes lies
    before the kink; the others are squared, which makes the power smooth. Without a lag all nodes are of the second kind.
    """
    lanes = jnp.shape(onset_h)
    lengths = jnp.reshape(jnp.asarray(grid.lengths_h), (-1, 1) + (1,) * len(lanes))
    column = (1, -1) + (1,) * len(lanes)
    has_onset = isinstance(onset_h, jax.core.Tracer) or bool(np.any(np.asarray(onset_h) > 0.0))
    before = grid.nodes // 3 if has_onset else 0
    points, weights = (jnp.reshape(x, column) for x in _gauss_legendre(grid.nodes - before))
    share = jnp.clip(onset_h / lengths, 0.0, 1.0)
    at = share + (1.0 - share) * points**2
    weight = (1.0 - share) * 2.0 * points * weights
    if before:
        first_points, first_weights = (jnp.reshape(x, column) for x in _gauss_legendre(before))
        at = jnp.concatenate([share * first_points, at], axis=1)
        weight = jnp.concatenate([share * first_weights, weight], axis=1)
    starts = jnp.reshape(jnp.asarray(grid.edges_h[:-1]), lengths.shape)
    return Quadrature(starts + lengths * at, weight, 3.0 * weight * (2.0 * at - 1.0))


def project(values: Float[Array, "step node *lane"], nodes: Quadrature) -> Forcing:
    """Legendre projection of degree one of non-negative values at the nodes."""
    extra = (1,) * (values.ndim - nodes.times_h.ndim)
    mean_weights, slope_weights = (jnp.reshape(w, w.shape + extra) for w in (nodes.mean_weights, nodes.slope_weights))
    mean = jnp.sum(values * mean_weights, axis=1)
    slope = jnp.sum(values * slope_weights, axis=1)
    # Drives are not negative. A sharp rise within a step would project to a line that starts below zero; a bounded slope
    # keeps the mean, and the refined grid shows what it costs.
    return Forcing(mean, jnp.clip(slope, -mean, mean))


def _gauss_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (points + 1.0), 0.5 * weights


def follow(target: Forcing, rate: Array, grid: Grid) -> Forcing:
    """Response of `y' = rate (target - y)`, `y(0) = 0`, as a drive of its own; exact for the projected target.

    However fast the rate, nothing is stiff: within a step the response is an exponential plus a line, of which mean and first
    moment are known. `rate` is per hour, a scalar or `[lane]`.
    """
    lengths = jnp.reshape(jnp.asarray(grid.lengths_h), (-1,) + (1,) * (target.mean.ndim - 1))
    scaled = rate * lengths
    decay = jnp.exp(-scaled)
    small = scaled < SERIES_BELOW
    safe = jnp.where(small, 1.0, scaled)
    average = jnp.where(small, _series(scaled, [1 / 1, -1 / 2, 1 / 6, -1 / 24, 1 / 120, -1 / 720, 1 / 5040]), (1.0 - decay) / safe)
    missing = jnp.where(
        small, _series(scaled, [1 / 2, -1 / 6, 1 / 24, -1 / 120, 1 / 720, -1 / 5040, 1 / 40320]), (1.0 - average) / safe
    )
    tilt = jnp.where(
        small,
        _series(scaled, [-1 / 6, 1 / 12, -1 / 40, 1 / 180, -1 / 1008, 1 / 6720, -1 / 51840]),
        (2.0 * (1.0 - decay * (1.0 + safe)) / safe**2 - average) / safe,
    )
    gain = 1.0 - decay

    def advance(value: Array, x: tuple[Array, ...]) -> tuple[Array, Array]:
        mean, slope, kept, gained, short = x
        after = kept * value + gained * mean + slope * (1.0 + kept - 2.0 * short)
        return after, value

    drives = (target.mean, target.slope, *jnp.broadcast_arrays(decay, gain, average))
    initial = jnp.zeros(jnp.broadcast_shapes(target.mean.shape[1:], drives[2].shape[1:]))
    _, start = jax.lax.scan(advance, initial, drives)
    mean = target.mean * (1.0 - average) + start * average + target.slope * (average - 2.0 * missing)
    slope = target.slope * (1.0 + 6.0 * tilt) + 3.0 * scaled * tilt * (start - target.mean + target.slope)
    return Forcing(mean, slope)


def _series(x: Array, coefficients: list[float]) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = coefficient + x * total
    return total
