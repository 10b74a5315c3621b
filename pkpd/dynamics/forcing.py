"""Drives within each step, as the line with the same integral and first moment.

A drug's effect changes faster than the states it drives. Sampling it at the stages of a Runge-Kutta step wastes steps; replacing
it within each step by its Legendre projection of degree one keeps its integral, and steps of many hours suffice.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd.dynamics.timeline import Grid

SERIES_BELOW = 0.3
TINY = 1e-280


class Forcing(NamedTuple):
    """A drive within each step: `mean + slope * s`, `s` from -1 at the start to 1 at the end."""

    mean: Float[Array, "step ..."]
    slope: Float[Array, "step ..."]


class Quadrature(NamedTuple):
    """Nodes within every step, and the weights that take values there to a `Forcing`."""

    times_h: Float[Array | np.ndarray, " step node *lane"]
    mean_weights: Float[Array | np.ndarray, " step node *lane"]
    slope_weights: Float[Array | np.ndarray, " step node *lane"]


def quadrature(grid: Grid, onset_h: Array | float, dose_times_h: Float[Array, " dose"] | None = None) -> Quadrature:
    """Gauss nodes on both sides of the onset of a dose within the step, crowded after it.

    A drug that is absorbed with a lag has a kink at the lag, and rises steeply, like a power, after it. A third of the
    nodes lies before the kink; the others are squared, which makes the power smooth. Without a lag, or without an onset
    in the step, all nodes that count are of the second kind.

    Parameters
    ----------
    onset_h
        Delay between a dose and its first trace, a scalar or `[lane]`.
    dose_times_h
        Rising; None where there are no doses.
    """
    if np.ndim(onset_h) == 0 and not isinstance(onset_h, Tracer) and not np.any(np.asarray(onset_h) > 0.0):
        return _after_edges(grid)
    lanes = jnp.shape(onset_h)
    lengths = jnp.reshape(jnp.asarray(grid.lengths_h), (-1, 1) + (1,) * len(lanes))
    starts = jnp.reshape(jnp.asarray(grid.edges_h[:-1]), lengths.shape)
    column = (1, -1) + (1,) * len(lanes)
    before = grid.nodes // 3 if dose_times_h is not None else 0
    points, weights = (jnp.reshape(x, column) for x in _gauss_legendre(grid.nodes - before))
    share = jnp.zeros_like(lengths)
    if before and dose_times_h is not None:
        # the last dose that acts before the step ends; an onset before the step starts counts as one at its start
        given = jnp.asarray(dose_times_h)
        last = jnp.searchsorted(given, starts + lengths - onset_h, side="left") - 1
        onset = jnp.where(last >= 0, given[jnp.maximum(last, 0)] + onset_h, -jnp.inf)
        share = jnp.clip((onset - starts) / lengths, 0.0, 1.0)
    at = share + (1.0 - share) * points**2
    weight = (1.0 - share) * 2.0 * points * weights
    if before:
        first_points, first_weights = (jnp.reshape(x, column) for x in _gauss_legendre(before))
        at = jnp.concatenate([share * first_points, at], axis=1)
        weight = jnp.concatenate([share * first_weights, weight], axis=1)
    return Quadrature(starts + lengths * at, weight, 3.0 * weight * (2.0 * at - 1.0))


def _after_edges(grid: Grid) -> Quadrature:
    """Without a lag every dose acts from an edge on, and the nodes are numbers that are known before anything is traced."""
    points, weights = _gauss_legendre(grid.nodes)
    times = grid.edges_h[:-1, None] + grid.lengths_h[:, None] * points**2
    weight = np.broadcast_to(2.0 * points * weights, times.shape)
    return Quadrature(times, weight, 3.0 * weight * (2.0 * points**2 - 1.0))


def project(values: Float[Array, " step node *lane"], nodes: Quadrature) -> Forcing:
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


def follow(values: Float[Array, " step node *lane"], nodes: Quadrature, rate: Array, grid: Grid) -> Forcing:
    """Response of `y' = rate (value - y)`, `y(0) = 0`, as a drive of its own.

    A fast rate is not stiff here, and the shape of the values within a step is not lost: the end, the mean and the first
    moment of the response are integrals of the values with known kernels. `rate` is per hour, a scalar or `[lane]`.
    """
    extra = (1,) * (values.ndim - nodes.times_h.ndim)
    times, weights = (jnp.reshape(x, x.shape + extra) for x in (nodes.times_h, nodes.mean_weights))
    lengths = jnp.reshape(jnp.asarray(grid.lengths_h), (-1,) + (1,) * (values.ndim - 2))
    ends = jnp.reshape(jnp.asarray(grid.edges_h[1:]), (-1, 1) + (1,) * (values.ndim - 2))
    weighted = values * weights
    left = jnp.maximum(ends - times, 0.0)  # until the end of the step
    share_left = left / lengths[:, None]
    kept = jnp.exp(-rate * left)
    scaled = rate * lengths
    # A fast kernel falls between the nodes: its own integral is known, and makes constant values exact at any rate.
    integral = jnp.sum(weights * kept, axis=1)
    memory = jnp.sum(weighted * kept, axis=1) * decayed_share(scaled) / jnp.maximum(integral, TINY)
    arrived = scaled * memory
    mean_arrived = jnp.sum(weighted, axis=1) - memory
    moment = 1.0 - 2.0 * share_left + 2.0 * share_left * decayed_share(rate * left)
    slope_arrived = 3.0 * (jnp.sum(weighted * moment, axis=1) - memory)

    def advance(value: Array, x: tuple[Array, Array]) -> tuple[Array, Array]:
        decay, gained = x
        return decay * value + gained, value

    decay = jnp.broadcast_to(jnp.exp(-scaled), arrived.shape)
    _, start = jax.lax.scan(advance, jnp.zeros(arrived.shape[1:]), (decay, arrived))
    return Forcing(start * decayed_share(scaled) + mean_arrived, start * _tilt(scaled) + slope_arrived)


def decayed_share(scaled: Array) -> Array:
    """`(1 - exp(-x)) / x`, the mean of a unit decay over a step; 1 at zero, with finite derivatives."""
    small = jnp.abs(scaled) < 1e-6
    return jnp.where(small, 1.0 - 0.5 * scaled, -jnp.expm1(-scaled) / jnp.where(small, 1.0, scaled))


def _tilt(scaled: Array) -> Array:
    """Slope of the line that stands for `exp(-x t)`, `t` from 0 to 1."""
    small = scaled < SERIES_BELOW
    safe = jnp.where(small, 1.0, scaled)
    decay = jnp.exp(-safe)
    exact = 3.0 * (2.0 * (1.0 - decay) / safe - 1.0 - decay) / safe
    return jnp.where(
        small,
        scaled * _series(scaled, [-1 / 2, 1 / 4, -3 / 40, 1 / 60, -1 / 336, 1 / 2240, -1 / 17280, 1 / 151200]),
        exact,
    )


def _series(x: Array, coefficients: list[float]) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = coefficient + x * total
    return total
