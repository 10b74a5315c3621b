"""Structures without a closed form: graded steps of an L-stable Rosenbrock method from point to point."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.domain.events import MODELED_DURATION
from pkpd.dynamics.base import AbstractDrivenPKModel, AbstractSteppedPKModel
from pkpd.dynamics.events.linear import CONSTANT_PERIOD_H, at_records
from pkpd.dynamics.events.order import SAME_TIME_H, Entry, Points, timing, under_way
from pkpd.dynamics.events.plan import EMPTY, STEADY, STEADY_ADDED, Plan
from pkpd.dynamics.events.small import added, matvec

REPETITIONS = 2  # of the dosing period, before Newton's method
NEWTON_STEPS = 12
MET = 1e-7
SQUARINGS = 24  # of the map of one period: what is left of a deviation after 2^24 periods
# RODAS: order 4, six stages, stiffly accurate. Hairer E, Wanner G. Solving Ordinary Differential Equations II, 1996, IV.7.
_GAMMA = 0.25
_STAGES = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
)
_SLOPES = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)

type Amounts = Float[Array, " compartment"]


def stepped_course(
    model: AbstractSteppedPKModel,
    entries: tuple[Entry, ...],
    plan: Plan,
    points: Points,
    steps: int | Array,
    *,
    steady_steps: int | Array | None = None,
) -> Array:
    """Amounts `[point, compartment]` of one subject, after what happens at each point.

    Parameters
    ----------
    steps
        From point to point.
    steady_steps
        For each part of the period of a steady state; the same by default.
    """
    size = len(entries)
    within = steps if steady_steps is None else steady_steps
    inputs = jnp.zeros((points.length_h.size, size)).at[:, jnp.asarray(plan.infused, dtype=int)].set(points.inputs)
    kind = jnp.zeros_like(points.change)
    filled = jnp.zeros_like(inputs)
    if plan.changes.kind.size:
        kind = jnp.where(points.change >= 0, plan.changes.kind[points.change], 0)
        if plan.has_steady:
            filled = jax.vmap(lambda index: _steady(model, entries, plan, index, within))(
                jnp.arange(plan.changes.kind.size)
            )[points.change]

    def advance(amounts: Amounts, point: tuple[Array, ...]) -> tuple[Amounts, Amounts]:
        length, owner, running, bolus, what, level = point
        own = at_records(model, owner)
        moved = over_interval(own, amounts, running, length, steps)
        nothing = jnp.stack([jnp.asarray(each, dtype=float) for each in own.initial()])
        moved = jnp.where(what == EMPTY, nothing, moved)
        moved = jnp.where(what == STEADY, level, moved)
        moved = jnp.where(what == STEADY_ADDED, moved + level - nothing, moved) + bolus
        return moved, moved

    start = jnp.stack([jnp.asarray(each, dtype=float) for each in at_records(model, jnp.asarray(0)).initial()])
    _, course = jax.lax.scan(advance, start, (points.length_h, points.owner, inputs, points.bolus, kind, filled))
    return course


def over_interval(
    model: AbstractSteppedPKModel, amounts: Amounts, inputs: Amounts, length_h: Array, steps: int | Array
) -> Amounts:
    """Amounts at the end of an interval; steps grow from its start, where a dose may have bent the curve.

    A drug that is linear by itself is exact at the end. Within the interval it is stepped beside its responses: the method keeps the
    balance of what enters and leaves, and so the area under the concentration, which exact values at single steps would not. A mesh
    makes each of its steps an interval; its error is measured on the predictions that it gives.
    """

    def slope(state: Amounts) -> Amounts:
        return jnp.stack(jnp.broadcast_arrays(*model.slope(tuple(state)))) + inputs

    def one(index: Array, state: Amounts) -> Amounts:
        step = length_h * (2.0 * index + 1.0) / jnp.asarray(steps, dtype=float) ** 2
        return jnp.where(step > 0.0, _rosenbrock(slope, state, jnp.where(step > 0.0, step, 1.0)), state)

    stepped = jax.lax.fori_loop(0, steps, one, amounts)
    if not isinstance(model, AbstractDrivenPKModel):
        return stepped
    size = len(type(model).compartments) - len(type(model).responses)
    transition = model.drug_transition(length_h)
    drug = added(matvec(transition.matrix, tuple(amounts[:size])), matvec(transition.response, tuple(inputs[:size])))
    return jnp.concatenate([jnp.stack(drug), stepped[size:]])


def _rosenbrock(slope, state: Amounts, step: Array) -> Amounts:  # noqa: ANN001
    jacobian = jax.jacfwd(slope)(state)
    inverse = _inverse(jnp.eye(state.size) / (_GAMMA * step) - jacobian)
    stages: list[Amounts] = []
    for weights, changes in zip(_STAGES, _SLOPES[:-1], strict=True):
        at = state + sum((weight * stage for weight, stage in zip(weights, stages, strict=True)), jnp.zeros(()))
        drift = sum((change * stage for change, stage in zip(changes, stages, strict=True)), jnp.zeros(()))
        stages.append(inverse @ (slope(at) + drift / step))
    last = state + sum((weight * stage for weight, stage in zip(_STAGES[-1], stages[:4], strict=True)), jnp.zeros(()))
    last = last + stages[4]
    drift = sum((change * stage for change, stage in zip(_SLOPES[-1], stages, strict=True)), jnp.zeros(()))
    return last + inverse @ (slope(last) + drift / step)


def _inverse(matrix: Array) -> Array:
    """Gauss-Jordan without pivots: the diagonal, one over the step, leads."""
    inverse = jnp.eye(matrix.shape[0])
    for pivot in range(matrix.shape[0]):
        scale = 1.0 / matrix[pivot, pivot]
        row, right = matrix[pivot] * scale, inverse[pivot] * scale
        column = matrix[:, pivot].at[pivot].set(0.0)
        matrix = (matrix - column[:, None] * row).at[pivot].set(row)
        inverse = (inverse - column[:, None] * right).at[pivot].set(right)
    return inverse


def _attracts(period: Float[Array, "to start"]) -> Array:
    """Whether a small deviation dies out under the linear map of one period, repeated."""
    power = jax.lax.fori_loop(0, SQUARINGS, lambda _, matrix: matrix @ matrix, jax.lax.stop_gradient(period))
    return jnp.all(jnp.abs(power) < 1.0)


def _steady(
    model: AbstractSteppedPKModel, entries: tuple[Entry, ...], plan: Plan, index: Array, steps: int | Array
) -> Amounts:
    """Fixed point of one dosing period, by Newton's method, then advanced to the moment of the record.

    NaN where none is found, or where doses that go on would lead away from it.
    """
    change = jax.tree.map(lambda values: values[index], plan.changes)
    own = at_records(model, change.record)
    into = timing(entries, change.compartment, change.record, change.amount_mg, change.rate)
    target = jax.nn.one_hot(change.compartment, len(entries), dtype=into.lag_h.dtype)
    forever = (change.amount_mg == 0.0) & (change.rate != 0.0)
    period = jnp.where(forever | (change.interval_h == 0.0), CONSTANT_PERIOD_H, change.interval_h)
    infused = change.rate != 0.0
    length = jnp.where(infused & ~forever, into.duration_h, 0.0)
    speed = jnp.where(infused, into.rate, 0.0)
    whole = jnp.floor(length / period + SAME_TIME_H)
    pulse = jnp.maximum(length - whole * period, 0.0)
    base = jnp.where(forever, speed, whole * speed)
    extra = jnp.where(forever, 0.0, speed)
    dose = jnp.where(infused, 0.0, into.share * change.amount_mg) * target

    def until(amounts: Amounts, phase: Array) -> Amounts:
        during = over_interval(own, amounts + dose, (base + extra) * target, jnp.minimum(phase, pulse), steps)
        return over_interval(own, during, base * target, jnp.maximum(phase - pulse, 0.0), steps)

    def period_map(amounts: Amounts) -> Amounts:
        return until(amounts, period)

    def toward(index: Array, found: tuple[Amounts, Amounts, Array]) -> tuple[Amounts, Amounts, Array]:
        amounts, _, _ = found
        slope, after = jax.jacfwd(lambda start: (period_map(start),) * 2, has_aux=True)(amounts)
        change = after - amounts
        better = amounts + jnp.linalg.solve(jnp.eye(amounts.size) - slope, change)
        repeated = jax.lax.stop_gradient(after)
        return jnp.where(index < REPETITIONS, repeated, jnp.maximum(better, 0.0)), change, slope

    nothing = jnp.stack([jnp.asarray(each, dtype=float) for each in own.initial()])
    unknown = (nothing, jnp.zeros_like(nothing), jnp.zeros((nothing.size,) * 2))
    trough, change_left, slope = jax.lax.fori_loop(0, REPETITIONS + NEWTON_STEPS, toward, unknown)
    # a response has a size of its own, however large the dose
    of_drug = jnp.asarray([name not in type(model).responses for name in type(model).compartments])
    size = jnp.max(jnp.where(of_drug, trough, 0.0)) + jnp.sum(dose)
    size = jnp.where(of_drug, size, jnp.maximum(nothing, trough))
    met = jnp.all(jnp.abs(change_left) <= MET * size) & _attracts(slope)
    # cells that are gone stay gone for a step of any length, whatever their feedback would do
    met &= jnp.all(of_drug | (trough > MET * nothing) | (nothing == 0.0))
    pending = jnp.where(forever, 0.0, under_way(into.lag_h, period))
    phase = jnp.where(pending > 0, jnp.maximum(pending * period - into.lag_h, 0.0), period)
    reach = jnp.ceil((into.lag_h + length) / period - SAME_TIME_H) - 1.0
    known = (forever & (change.rate != MODELED_DURATION)) | (~forever & (jnp.maximum(reach, 0.0) <= change.history))
    known &= change.kind >= STEADY
    return jnp.where(known & met, until(trough, phase), jnp.nan)
