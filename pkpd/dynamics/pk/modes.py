"""Linear pharmacokinetics as sums of decaying exponentials, advanced exactly from dose to dose.

Between doses a linear model is a sum of modes `a exp(-rate t)`. The amplitudes need one multiplication per dose; any time is
then reached from the last dose before it. A delay of absorption shifts the argument, so it needs no grid of its own.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import DoseTable


def superpose(
    rates: Float[Array, "mode ..."],
    weights_absorbed: Float[Array, "mode ..."],
    weights_direct: Float[Array, "mode ..."],
    doses: DoseTable,
    times_h: Float[Array, "time ..."],
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


def _over_lanes(values: Array, lanes: tuple[int, ...]) -> Array:
    """`[item]` or `[item, lane]` to `[item, lane]`."""
    columns = values if values.ndim > 1 else jnp.reshape(values, (-1,) + (1,) * len(lanes))
    return jnp.broadcast_to(columns, (values.shape[0], *lanes))


def _column(values: Array, like: Array) -> Array:
    return jnp.reshape(values, (-1,) + (1,) * (like.ndim - 1))


def _bolus_modes(
    rates: Array, weights: Array, amounts: Array, starts_h: Array, times_h: Array, lag_h: Array | float
) -> Array:
    """Sum over modes at each time, from the amplitudes just after the last dose that acts by then."""
    gaps = jnp.diff(starts_h, prepend=starts_h[:1])

    def advance(amplitude: Array, dose: tuple[Array, Array]) -> tuple[Array, Array]:
        gap, amount = dose
        amplitude = amplitude * jnp.exp(-rates * gap) + weights * amount
        return amplitude, amplitude

    _, after = jax.lax.scan(advance, jnp.zeros_like(rates * weights), (gaps, amounts))
    after = jnp.concatenate([jnp.zeros_like(after[:1]), after])
    effective = (times_h if jnp.ndim(lag_h) == 0 else _over_lanes(times_h, rates.shape[1:])) - lag_h
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


def _ramp_modes(rates: Array, weights: Array, speed: Array, doses: DoseTable, times_h: Array) -> Array:
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
