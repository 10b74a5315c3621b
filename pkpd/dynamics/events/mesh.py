"""Steps where the curve bends: each interval of a study is cut into as many as it needs, before anything is traced.

A study has a few long intervals after a dose and many short or smooth ones. One number of steps for all of them spends most
of its work where nothing happens.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from pkpd.dynamics.base import AbstractSteppedPKModel
from pkpd.dynamics.events.linear import at_records
from pkpd.dynamics.events.order import Entry, Points, order
from pkpd.dynamics.events.plan import Plan
from pkpd.dynamics.events.stepped import over_interval, stepped_course

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Mesh(eqx.Module):
    """Steps of every subject, padded to one count.

    It holds for the order in which it was made: entries without parameters.

    Attributes
    ----------
    point
        Point whose interval the step is part of.
    share
        Of that interval; 0 where padded.
    closes
        Whether the interval ends with the step, and what happens at the point follows.
    position
        Step after which each record is looked at.
    """

    point: Int[Array | np.ndarray, "*subject step"]
    share: Float[Array | np.ndarray, "*subject step"]
    closes: Bool[Array | np.ndarray, "*subject step"]
    position: Int[Array | np.ndarray, "*subject record"]

    def refined(self, points: Points) -> Points:
        """Points of one subject, one for each step."""
        return Points(
            length_h=points.length_h[self.point] * self.share,
            owner=points.owner[self.point],
            inputs=points.inputs[self.point],
            bolus=jnp.where(jnp.asarray(self.closes)[:, None], points.bolus[self.point], 0.0),
            change=jnp.where(self.closes, points.change[self.point], -1),
            position=jnp.asarray(self.position),
        )


def study_points(plan: Plan, compartments: int) -> Points:
    """Points of every subject, `[subject, point]`, of a study whose entries have no parameters."""
    entries = tuple(jax.tree.map(jnp.asarray, Entry()) for _ in range(compartments))
    return jax.jit(jax.vmap(lambda own: order(own, entries)))(_by_subject(plan))


def mesh_of(points: Points, counts: NDArray[np.int64]) -> Mesh:
    """Mesh of `counts[subject, point]` steps; a point of no length at which nothing happens takes none."""
    idle = np.asarray(points.length_h) == 0.0
    idle &= ~np.any(np.asarray(points.bolus) != 0.0, axis=-1) & (np.asarray(points.change) < 0)
    idle[:, 0] = False  # the first record may be looked at before anything happens
    counts = np.where(idle, 0, counts)
    total = int(counts.sum(axis=1).max())
    point, share, closes = (np.zeros((counts.shape[0], total), dtype=kind) for kind in (np.int64, np.float64, np.bool_))
    for subject, mine in enumerate(counts):
        used = int(mine.sum())
        point[subject, :used] = np.repeat(np.arange(mine.size), mine)
        within = np.arange(used) - np.repeat(np.cumsum(mine) - mine, mine)
        number = np.repeat(mine, mine)
        # steps grow from the start of an interval, where a dose may have bent the curve
        share[subject, :used] = (2.0 * within + 1.0) / number**2
        closes[subject, :used] = within == number - 1
        point[subject, used:] = mine.size - 1
    after = np.cumsum(counts, axis=1) - 1
    position = np.take_along_axis(after, np.asarray(points.position), axis=1)
    # kept as NumPy: a process that is handed a mesh must not start JAX before it knows its core
    return Mesh(point=point, share=share, closes=closes, position=position)


def interval_errors(
    model: AbstractSteppedPKModel, plan: Plan, *, ladder: tuple[int, ...], reference: int
) -> Float[Array, "rung subject point"]:
    """Change of the amounts at the end of each interval between few steps and many, relative to the subject's largest.

    Parameters
    ----------
    model
        Leaves are scalars, `[subject]` or `[subject, record]`.
    reference
        Steps per interval that are taken as exact.
    """
    entries = tuple(jax.tree.map(jnp.asarray, Entry()) for _ in model.compartments)
    model = jax.tree.map(jnp.asarray, model)
    axes = jax.tree.map(lambda leaf: None if leaf.ndim == 0 else 0, model)

    def one(structure: AbstractSteppedPKModel, own: Plan) -> Array:
        points = order(own, entries)
        course = stepped_course(structure, entries, own, points, jnp.asarray(reference))
        start = jnp.stack([jnp.asarray(each, dtype=float) for each in at_records(structure, jnp.asarray(0)).initial()])
        before = jnp.concatenate([start[None], course[:-1]])
        inputs = jnp.zeros_like(before).at[:, jnp.asarray(own.infused, dtype=int)].set(points.inputs)
        each = at_records(structure, points.owner)
        by_point = jax.tree.map(lambda leaf: None if leaf.ndim == 0 else 0, each)

        def ends(steps: Array) -> Array:
            across = jax.vmap(over_interval, in_axes=(by_point, 0, 0, 0, None))
            return across(each, before, inputs, points.length_h, steps)

        largest = jnp.max(jnp.abs(course), axis=0)
        exact, scale = ends(jnp.asarray(reference)), jnp.where(largest > 0.0, largest, 1.0)
        # a traced number of steps compiles once for all of them
        return jax.lax.map(lambda steps: jnp.max(jnp.abs(ends(steps) - exact) / scale, axis=-1), jnp.asarray(ladder))

    return jax.vmap(one, in_axes=(axes, 0), out_axes=1)(model, _by_subject(plan))


def _by_subject(plan: Plan) -> Plan:
    """The plan without what is not of one subject."""
    return eqx.tree_at(lambda whole: (whole.rows, whole.subject_of_row, whole.record_of_row), plan, (None, None, None))
