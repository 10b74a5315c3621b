"""Linear pharmacokinetics as sums of decaying exponentials, advanced exactly from dose to dose.

Between doses a linear model is a sum of modes `a exp(-rate t)`. The amplitudes need one multiplication per dose; any time is
then reached from the last dose before it. A delay of absorption shifts the argument, so it needs no grid of its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd.dynamics.base import DoseTable

LONGEST_RUN = 64  # more nodes than any step has


def superpose(
    rates: Float[Array, "mode ..."],
    weights_absorbed: Float[Array, "mode ..."],
    weights_direct: Float[Array, "mode ..."],
    doses: DoseTable,
    times_h: Float[Array | np.ndarray, "time ..."],
    *,
    lag_h: Float[Array, " *lane"] | float = 0.0,
) -> Float[Array, "time ..."]:
    """Response at `times_h` to all doses, each mode decaying from its weight per mg.

    Parameters
    ----------
    rates
        Decay rates, 1/h, all positive and distinct enough for the weights (see `separate`).
    weights_absorbed, weights_direct
        Amplitude of each mode per mg, for doses through the absorption site and into the central compartment.
    lag_h
        Delay of absorbed doses; direct doses have none.

    Notes
    -----
    A dose at exactly a requested time does not act yet. Infusions (direct doses with a duration) enter as the difference of
    two ramps, so that the response during and after the infusion is exact.
    """
    lanes = jnp.broadcast_shapes(rates.shape[1:], doses.amount_mg.shape[1:], jnp.shape(lag_h))
    rates, weights_absorbed, weights_direct, amounts = (
        _over_lanes(values, lanes) for values in (rates, weights_absorbed, weights_direct, doses.amount_mg)
    )
    entering = amounts * _column(doses.absorbed, amounts)
    total = _bolus_modes(rates, weights_absorbed, entering, doses.time_h, times_h, lag_h)
    if doses.all_absorbed:
        return total
    direct = amounts - entering
    infused = _column(doses.duration_h > 0, amounts)
    total = total + _bolus_modes(rates, weights_direct, jnp.where(infused, 0.0, direct), doses.time_h, times_h, 0.0)
    if doses.none_infused:
        return total
    speed = jnp.where(infused, direct, 0.0) / _column(jnp.where(doses.duration_h > 0, doses.duration_h, 1.0), amounts)
    return total + _ramp_modes(rates, weights_direct, speed, doses, times_h)


def _over_lanes(values: Array | np.ndarray, lanes: tuple[int, ...]) -> Array:
    """`[item]` or `[item, lane]` to `[item, lane]`."""
    columns = values if values.ndim > 1 else jnp.reshape(values, (-1,) + (1,) * len(lanes))
    return jnp.broadcast_to(columns, (values.shape[0], *lanes))


def _column(values: Array, like: Array) -> Array:
    return jnp.reshape(values, (-1,) + (1,) * (like.ndim - 1))


def _bolus_modes(
    rates: Array, weights: Array, amounts: Array, starts_h: Array, times_h: Array | np.ndarray, lag_h: Array | float
) -> Array:
    """Sum over modes at each time, from the amplitudes just after the last dose that acts by then."""
    gaps = jnp.diff(jnp.asarray(starts_h), prepend=starts_h[:1])

    def advance(amplitude: Array, dose: tuple[Array, Array]) -> tuple[Array, Array]:
        gap, amount = dose
        amplitude = amplitude * jnp.exp(-rates * gap) + weights * amount
        return amplitude, amplitude

    _, after = jax.lax.scan(advance, jnp.zeros_like(rates * weights), (gaps, amounts))
    after = jnp.concatenate([jnp.zeros_like(after[:1]), after])
    if not any(isinstance(known, Tracer) for known in (starts_h, times_h, lag_h)) and np.ndim(lag_h) == 0:
        return _at_known_times(
            rates, after, *_since_last(np.asarray(starts_h), np.asarray(times_h) - np.asarray(lag_h))
        )
    effective = (times_h if jnp.ndim(lag_h) == 0 else _over_lanes(times_h, rates.shape[1:])) - lag_h
    starts_h = jnp.asarray(starts_h)
    last = jnp.searchsorted(starts_h, effective, side="left")
    since = jnp.maximum(effective - jnp.concatenate([starts_h[:1], starts_h])[last], 0.0)
    shared = (
        last.ndim == 1
    )  # one clock for all lanes: whole rows are picked, and in reverse mode whole rows are added up
    since = _column(since, rates[:1]) if shared else since
    total = jnp.zeros(())
    for mode in range(rates.shape[0]):
        amplitude = after[last, mode] if shared else jnp.take_along_axis(after[:, mode], last, axis=0)
        total = total + amplitude * jnp.exp(-rates[mode] * since)
    return total


def _since_last(
    starts_h: NDArray[np.float64], times_h: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Number of doses before each time, and the time since the last of them."""
    last = np.searchsorted(starts_h, times_h, side="left")
    return last, np.maximum(times_h - np.concatenate([starts_h[:1], starts_h])[last], 0.0)


def _at_known_times(rates: Array, after: Array, last: NDArray[np.int64], since_h: NDArray[np.float64]) -> Array:
    """Where times are known, few exponentials are needed: one per run of times after the same dose, one per place in a run.

    Nodes of the steps of a grid are such runs, and most steps are alike; without runs every time is a run of its own.
    """
    run = _length_of_runs(last, since_h)
    first, offsets = since_h[::run], _offsets(since_h, run)
    _, one, which = np.unique(np.round(offsets, 9), axis=0, return_index=True, return_inverse=True)
    patterns = offsets[one]
    starts, places = _decays(rates, first), _decays(rates, patterns.ravel())
    total = jnp.zeros(())
    for mode in range(rates.shape[0]):
        start = after[last[::run], mode] * starts[:, mode]
        place = places[:, mode].reshape(*patterns.shape, *rates.shape[1:])
        place = place if len(patterns) == 1 else place[which.ravel()]
        total = total + start[:, None] * place
    return total.reshape(-1, *rates.shape[1:])


def _decays(rates: Array, times_h: NDArray[np.float64]) -> Array:
    """`[time, mode, ...]`, equal times computed once."""
    _, one, which = np.unique(np.round(times_h, 9), return_index=True, return_inverse=True)
    distinct = times_h[one]  # unrounded: times that differ in the last digits only count as equal
    decays = jnp.exp(-rates * _column(jnp.asarray(distinct), rates)[:, None])
    return decays if np.array_equal(which, np.arange(times_h.size)) else decays[which]


def _offsets(since_h: NDArray[np.float64], run: int) -> NDArray[np.float64]:
    rows = since_h.reshape(-1, run)
    return rows - rows[:, :1]


def _length_of_runs(last: NDArray[np.int64], since_h: NDArray[np.float64]) -> int:
    """Times per run that leave fewest products to compute; no dose may fall within a run."""
    count = since_h.size
    best, fewest = 1, count
    for run in (length for length in range(2, LONGEST_RUN + 1) if count % length == 0):
        rows = last.reshape(-1, run)
        if np.all(rows == rows[:, :1]):
            needed = count // run + np.unique(np.round(_offsets(since_h, run), 9), axis=0).size
            best, fewest = (run, needed) if needed < fewest else (best, fewest)
    return best


def _ramp_modes(rates: Array, weights: Array, speed: Array, doses: DoseTable, times_h: Array | np.ndarray) -> Array:
    """Response to constant-rate inputs: on at the start, off at the end, each a saturating exponential."""
    starts = jnp.concatenate([doses.time_h, doses.time_h + doses.duration_h])
    slopes = jnp.concatenate([speed, -speed])
    order = jnp.argsort(starts, stable=True)
    starts, slopes = starts[order], slopes[order]
    decaying = _bolus_modes(rates, weights / rates, slopes, starts, times_h, 0.0)
    running = jnp.concatenate([jnp.zeros_like(slopes[:1]), jnp.cumsum(slopes, axis=0)])
    last = jnp.searchsorted(starts, _over_lanes(times_h, rates.shape[1:]), side="left")
    steady = jnp.take_along_axis(running, last, axis=0)
    return steady * jnp.sum(weights / rates, axis=0) - decaying


def separate(first: Array, second: Array, *, relative: float = 1e-6) -> Array:
    """Move `first` away from `second` where they coincide, so that partial fractions stay finite.

    The response is continuous where two rate constants meet; a relative distance of 1e-6 changes it by about 1e-6 and keeps
    ten digits in the difference.
    """
    distance = first - second
    least = relative * jnp.abs(second)
    return jnp.where(jnp.abs(distance) < least, second + jnp.where(distance < 0, -least, least), first)
