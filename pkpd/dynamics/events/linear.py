"""Linear structures: the whole table is a chain of affine maps whose coefficients are known before it is followed."""

from __future__ import annotations

from typing import cast

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.domain.events import MODELED_DURATION
from pkpd.dynamics.base import AbstractLinearPKModel, State, Transition
from pkpd.dynamics.events.order import SAME_TIME_H, Entry, Points, timing, under_way
from pkpd.dynamics.events.plan import EMPTY, STEADY, Plan
from pkpd.dynamics.events.small import added, composed, matvec, solved

CONSTANT_PERIOD_H = 24.0  # any period will do for an input that never ends


def at_records[T](parameters: T, records: Array) -> T:
    """Parameters that change with the record, picked where they are needed; constants stay scalars."""
    return jax.tree.map(lambda leaf: leaf if leaf.ndim == 0 else leaf[records], parameters)


def linear_amounts(model: AbstractLinearPKModel, entries: tuple[Entry, ...], plan: Plan, points: Points) -> Array:
    """Amounts `[record, compartment]` of one subject."""
    size = len(entries)
    transition = at_records(model, points.owner).transition(points.length_h)
    inputs = _columns(points.inputs, plan.infused, size)
    driven = matvec(transition.response, inputs)
    zero = jnp.zeros_like(points.length_h)
    keep, given = jnp.ones_like(zero), [points.bolus[:, column] for column in range(size)]
    if plan.changes.kind.size:
        steady = _steady(model, entries, plan) if plan.has_steady else ()
        kind = jnp.where(points.change >= 0, plan.changes.kind[points.change], 0)
        keep = jnp.where((kind == EMPTY) | (kind == STEADY), 0.0, 1.0)
        for column, level in enumerate(steady):
            given[column] = given[column] + jnp.where(kind >= STEADY, level[points.change], 0.0)

    def advance(amounts: State, point: tuple[Transition, State, Array, State]) -> tuple[State, State]:
        matrix, pushed, kept, dose = point
        moved = added(matvec(matrix.matrix, amounts), pushed)
        amounts = tuple(kept * old + new for old, new in zip(moved, dose, strict=True))
        return amounts, amounts

    matrices = Transition(transition.matrix, ())
    matrices = jax.tree.map(lambda entry: jnp.broadcast_to(entry, zero.shape), matrices)
    start = tuple(jnp.zeros(()) for _ in range(size))
    driven = tuple(jnp.broadcast_to(entry, zero.shape) for entry in driven)
    _, course = jax.lax.scan(advance, start, (matrices, driven, keep, tuple(given)))
    return jnp.stack([amount[points.position] for amount in course], axis=-1)


def _columns(inputs: Array, infused: tuple[int, ...], size: int) -> tuple[Array | None, ...]:
    return tuple(inputs[..., infused.index(column)] if column in infused else None for column in range(size))


def _steady(model: AbstractLinearPKModel, entries: tuple[Entry, ...], plan: Plan) -> State:
    """Amounts at each change under all earlier doses of its steady state, the record's own not counted."""
    changes = plan.changes
    own = at_records(model, changes.record)
    into = timing(entries, changes.compartment, changes.record, changes.amount_mg, changes.rate)
    size = len(entries)
    target = tuple((changes.compartment == column).astype(into.lag_h.dtype) for column in range(size))
    forever = (changes.amount_mg == 0.0) & (changes.rate != 0.0)
    period = jnp.where(forever | (changes.interval_h == 0.0), CONSTANT_PERIOD_H, changes.interval_h)
    infused = changes.rate != 0.0
    length = jnp.where(infused & ~forever, into.duration_h, 0.0)
    speed = jnp.where(infused, into.rate, 0.0)
    whole = jnp.floor(length / period + SAME_TIME_H)
    pulse = jnp.maximum(length - whole * period, 0.0)
    base = jnp.where(forever, speed, whole * speed)
    extra = jnp.where(forever, 0.0, speed)
    bolus = jnp.where(infused, 0.0, into.share * changes.amount_mg)

    during, rest = own.transition(pulse), own.transition(period - pulse)

    def after(part: Transition, amounts: State, rate: Array) -> State:
        return added(matvec(part.matrix, amounts), matvec(part.response, tuple(rate * each for each in target)))

    dose = tuple(bolus * each for each in target)
    one_period = after(rest, after(during, dose, base + extra), base)
    trough = solved(composed(rest.matrix, during.matrix), one_period)
    pending = jnp.where(forever, 0.0, under_way(into.lag_h, period))
    phase = jnp.where(pending > 0, jnp.maximum(pending * period - into.lag_h, 0.0), period)
    first = own.transition(jnp.minimum(phase, pulse))
    second = own.transition(jnp.maximum(phase - pulse, 0.0))
    level = after(second, after(first, added(trough, dose), base + extra), base)
    reach = jnp.ceil((into.lag_h + length) / period - SAME_TIME_H) - 1.0
    known = forever | (jnp.maximum(reach, 0.0) <= changes.history)
    known &= ~(infused & (changes.rate == MODELED_DURATION) & forever)
    return cast(State, tuple(jnp.where(known, each, jnp.nan) for each in level))
