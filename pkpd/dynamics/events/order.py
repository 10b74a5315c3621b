"""From a plan and the entries' parameters to sorted points: what happens when, with which inputs running."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.domain.events import MODELED_DURATION, MODELED_RATE
from pkpd.dynamics.events.plan import NEVER_H, Items, Plan

SAME_TIME_H = 1e-9
# At one time: what was under way arrives first; then each record in turn empties, gives, and is looked at.
_ARRIVING, _PER_RECORD, _GIVING, _LOOKING = -1, 4, 1, 2


class Entry(eqx.Module):
    """The way into one compartment; each value is a scalar, `[subject]` or `[subject, record]`.

    Attributes
    ----------
    lag
        Hours between a dose and its arrival.
    bioavailability
        Share of the amount that arrives.
    duration, rate
        Hours, or mg/h, of doses whose RATE is -2 or -1; None where there are none.
    """

    lag: Float[Array, "*record"] | float = 0.0
    bioavailability: Float[Array, "*record"] | float = 1.0
    duration: Float[Array, "*record"] | float | None = None
    rate: Float[Array, "*record"] | float | None = None


class Points(NamedTuple):
    """Everything that happens to one subject, in the order in which it happens.

    Attributes
    ----------
    length_h
        Interval before the point.
    owner
        Record whose parameters hold during that interval.
    inputs
        Rate into each of the plan's infused compartments during that interval, mg/h.
    bolus
        Amount into each compartment at the point, mg.
    change
        Which of the plan's changes happens at the point, or -1.
    position
        Point of each record, where it is looked at.
    """

    length_h: Float[Array, " point"]
    owner: Int[Array, " point"]
    inputs: Float[Array, "point infused"]
    bolus: Float[Array, "point compartment"]
    change: Int[Array, " point"]
    position: Int[Array, " record"]


class Timing(NamedTuple):
    """Parameters of doses, at their owners."""

    lag_h: Array
    share: Array
    duration_h: Array
    rate: Array


def timing(entries: tuple[Entry, ...], compartment: Array, owner: Array, amount: Array, rate: Array) -> Timing:
    """Lag, bioavailability, length and speed of doses; NaN where RATE asks for what no entry gives."""
    lag, share, duration, modeled = (
        _pick([getattr(entry, name) for entry in entries], compartment, owner)
        for name in ("lag", "bioavailability", "duration", "rate")
    )
    given = share * amount
    speed = jnp.where(rate == MODELED_RATE, modeled, jnp.where(rate > 0.0, rate, 1.0))
    by_duration = rate == MODELED_DURATION
    length = jnp.where(by_duration, duration, given / speed)
    return Timing(lag, share, length, jnp.where(by_duration, given / jnp.where(by_duration, duration, 1.0), speed))


def _pick(values: list[Array | float | None], compartment: Array, owner: Array) -> Array:
    arrays = [jnp.asarray(jnp.nan if value is None else value) for value in values]
    shape = jnp.broadcast_shapes(*(array.shape for array in arrays))
    table = jnp.stack([jnp.broadcast_to(array, shape) for array in arrays])
    return table[compartment, owner] if table.ndim > 1 else table[compartment]


def order(plan: Plan, entries: tuple[Entry, ...]) -> Points:
    """Sort one subject's records, doses, ends of infusions and changes."""
    compartments = len(entries)
    times, records = plan.time_h, plan.time_h.shape[0]
    bolus_h, bolus_key, arrives = _arrival(plan.boluses, plan, entries)
    boluses = timing(entries, plan.boluses.compartment, plan.boluses.owner, plan.boluses.amount_mg, plan.boluses.rate)
    running = plan.infusions
    infusions = timing(entries, running.compartment, running.owner, running.amount_mg, running.rate)
    raw_h, start_key, _ = _arrival(running, plan, entries, unclipped=True)
    source_h = times[running.source]
    start_h = _snap(jnp.maximum(raw_h, source_h), times)
    end_h = _snap(jnp.clip(raw_h + infusions.duration_h, start_h, jnp.maximum(running.until_h, start_h)), times)
    live = (running.amount_mg > 0.0) & (start_h < running.until_h)
    speed = jnp.where(live, infusions.rate, 0.0)
    changed_h = times[plan.changes.record]

    moments = jnp.concatenate([times, bolus_h, start_h, end_h, changed_h])
    numbers = jnp.arange(records)
    keys = jnp.concatenate(
        [
            numbers * _PER_RECORD + _LOOKING,
            bolus_key,
            start_key,
            jnp.full(end_h.shape, _ARRIVING),
            plan.changes.record * _PER_RECORD,
        ]
    )
    turn = jnp.lexsort((keys, moments))
    moments = jnp.minimum(moments[turn], times[-1])
    sizes = [records, bolus_h.size, start_h.size, end_h.size, changed_h.size]
    total = sum(sizes)
    starts = [sum(sizes[:index]) for index in range(5)]

    amount = jnp.where(arrives, boluses.share * plan.boluses.amount_mg, 0.0)
    into = jax.nn.one_hot(plan.boluses.compartment, compartments, dtype=amount.dtype) * amount[:, None]
    bolus = jnp.zeros((total, compartments)).at[starts[1] : starts[2]].set(into)[turn]
    which = jnp.asarray(plan.infused, dtype=running.compartment.dtype)
    column = (running.compartment[:, None] == which) * speed[:, None]
    deltas = jnp.zeros((total, len(plan.infused)))
    deltas = deltas.at[starts[2] : starts[3]].set(column).at[starts[3] : starts[4]].set(-column)[turn]
    after = jnp.cumsum(deltas, axis=0)
    change = jnp.full(total, -1).at[starts[4] :].set(jnp.arange(sizes[4]))[turn]
    looked = (turn < records).astype(jnp.int64)
    return Points(
        length_h=jnp.diff(moments, prepend=moments[:1]),
        owner=jnp.minimum(jnp.cumsum(looked) - looked, records - 1),
        inputs=jnp.concatenate([jnp.zeros_like(after[:1]), after[:-1]]),
        bolus=bolus,
        change=change,
        position=jnp.zeros(total, dtype=turn.dtype).at[turn].set(jnp.arange(total))[:records],
    )


def under_way(lag_h: Array, interval_h: Array) -> Array:
    """How many doses of a steady state, counted back from the record's own, arrive after the record."""
    return jnp.ceil(lag_h / interval_h - SAME_TIME_H)


def _arrival(
    items: Items, plan: Plan, entries: tuple[Entry, ...], *, unclipped: bool = False
) -> tuple[Array, Array, Array]:
    """Time and rank of each arrival, and whether it arrives: not if a reset comes first or a steady state holds it."""
    lag = _pick([entry.lag for entry in entries], items.compartment, items.owner)
    source_h = plan.time_h[items.source]
    nominal = jnp.where(items.past > 0, source_h, items.nominal_h) + lag - items.past * items.interval_h
    nominal = jnp.where(items.amount_mg > 0.0, nominal, NEVER_H)
    still_to_come = (items.past == 0) | (items.past < under_way(lag, items.interval_h))
    late = (nominal > source_h) & still_to_come
    moment = nominal if unclipped else _snap(jnp.where(late, nominal, source_h), plan.time_h)
    key = jnp.where(late, _ARRIVING, items.source * _PER_RECORD + _GIVING)
    return moment, key, still_to_come & (moment < items.until_h)


def _snap(moments: Array, times: Array) -> Array:
    """Moments that differ from a record's time by rounding alone are that time; derivatives pass."""
    after = jnp.clip(jnp.searchsorted(times, moments), 0, times.size - 1)
    for near in (times[after], times[jnp.maximum(after - 1, 0)]):
        same = jnp.abs(moments - near) <= SAME_TIME_H * jnp.maximum(1.0, jnp.abs(near))
        moments = jnp.where(same, moments + jax.lax.stop_gradient(near - moments), moments)
    return moments
