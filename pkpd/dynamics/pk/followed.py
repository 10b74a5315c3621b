"""Concentration of structures without a closed form, followed from dose to dose: the second face of stepped structures."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractSteppedPKModel, DoseTable, Lanes
from pkpd.dynamics.events.stepped import over_interval

MAX_STEP_H = 2.0
STEPS = 8  # per interval, growing from its start


def followed(
    model: AbstractSteppedPKModel,
    doses: DoseTable,
    times_h: Float[Array | np.ndarray, " time"],
    *,
    absorbed_into: int,
    direct: int,
    lag_h: Lanes | float = 0.0,
) -> Float[Array, "time ..."]:
    """Output `concentration` of a model just before any dose that is given at the same time.

    Parameters
    ----------
    absorbed_into, direct
        Compartments that doses enter through the absorption site, and past it.
    """
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(model)]
    lanes = jnp.broadcast_shapes(*shapes, jnp.shape(lag_h), doses.amount_mg.shape[1:])
    flat = math.prod(lanes)

    def wide(leaf: Array) -> Array:
        return jnp.broadcast_to(leaf, lanes).reshape(flat)

    amounts = jnp.broadcast_to(
        doses.amount_mg.reshape(doses.amount_mg.shape + (1,) * (len(lanes) + 1 - doses.amount_mg.ndim)),
        (doses.amount_mg.shape[0], *lanes),
    ).reshape(-1, flat)
    into = jax.nn.one_hot(jnp.where(doses.absorbed > 0.0, absorbed_into, direct), len(type(model).compartments))

    def one(own: AbstractSteppedPKModel, given: Array, lag: Array) -> Array:
        starts = doses.time_h + lag * doses.absorbed
        ends = starts + doses.duration_h
        regular = jnp.linspace(0.0, doses.end_h, max(2, math.ceil(doses.end_h / MAX_STEP_H)) + 1)
        moments = jnp.concatenate([times_h, regular, ends, starts])
        rank = jnp.concatenate([jnp.zeros(times_h.size + regular.size), jnp.ones(ends.size), jnp.full(starts.size, 2)])
        turn = jnp.lexsort((rank, moments))
        infused = doses.duration_h > 0.0
        speed = (jnp.where(infused, given / jnp.where(infused, doses.duration_h, 1.0), 0.0))[:, None] * into
        none = jnp.zeros((times_h.size + regular.size, into.shape[1]))
        running = jnp.cumsum(jnp.concatenate([none, -speed, speed])[turn], axis=0)
        bolus = jnp.concatenate([none, 0.0 * into, jnp.where(infused, 0.0, given)[:, None] * into])[turn]
        sorted_h = moments[turn]

        def advance(state: Array, point: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            length, inputs, dose = point
            before = over_interval(own, state, inputs, length, STEPS)
            return before + dose, before

        nothing = jnp.stack([jnp.asarray(each, dtype=float) for each in own.initial()])
        inputs = jnp.concatenate([jnp.zeros_like(running[:1]), running[:-1]])
        _, course = jax.lax.scan(advance, nothing, (jnp.diff(sorted_h, prepend=sorted_h[:1]), inputs, bolus))
        place = jnp.zeros(turn.size, dtype=turn.dtype).at[turn].set(jnp.arange(turn.size))[: times_h.size]
        return own.observe(tuple(course[place].T))["concentration"]

    found = jax.vmap(one, out_axes=1)(jax.tree.map(wide, model), amounts.T, wide(jnp.asarray(lag_h)))
    return found.reshape(times_h.size, *lanes)
