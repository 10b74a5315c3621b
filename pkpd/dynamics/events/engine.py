"""Amounts at every record, from parameters and a plan: pure, differentiable, one compilation per shape."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, AbstractSteppedPKModel
from pkpd.dynamics.events.linear import linear_amounts
from pkpd.dynamics.events.mesh import Mesh
from pkpd.dynamics.events.order import Entry, order
from pkpd.dynamics.events.plan import Plan
from pkpd.dynamics.events.stepped import stepped_course

__all__ = ["Entry", "observed", "study_amounts"]


def study_amounts(
    model: AbstractPKModel,
    entries: tuple[Entry, ...],
    plan: Plan,
    *,
    steps: int | Array = 16,
    mesh: Mesh | None = None,
) -> Float[Array, "subject record compartment"]:
    """Amounts of every compartment at every record, just after the record's own dose, mg.

    Parameters
    ----------
    model, entries
        Leaves are scalars, `[subject]`, or `[subject, record]`. The value of a record holds over the interval that ends there.
        One entry per compartment.
    steps
        Steps per interval of structures without a closed form; a traced number compiles once for all, and cannot be
        differentiated in reverse.
    mesh
        Takes the place of `steps` between points where no entry has a parameter.
    """
    if len(entries) != len(type(model).compartments):
        raise ValueError(f"one entry for each of {type(model).compartments}")
    model, entries = jax.tree.map(jnp.asarray, (model, entries))
    axes = jax.tree.map(lambda leaf: None if leaf.ndim == 0 else 0, (model, entries))
    shared = eqx.tree_at(
        lambda whole: (whole.rows, whole.subject_of_row, whole.record_of_row), plan, (None, None, None)
    )

    def one(parameters: tuple[AbstractPKModel, tuple[Entry, ...]], own: Plan, fine: Mesh | None) -> Array:
        structure, ways = parameters
        points = order(own, ways)
        if isinstance(structure, AbstractLinearPKModel):
            return linear_amounts(structure, ways, own, points)
        if not isinstance(structure, AbstractSteppedPKModel):
            raise TypeError(f"{type(structure).__name__} is neither linear nor stepped")
        if fine is not None:
            points = fine.refined(points)
        between = steps if fine is None else 1
        return stepped_course(structure, ways, own, points, between, steady_steps=steps)[points.position]

    return jax.vmap(one, in_axes=(axes, jax.tree.map(lambda _: 0, shared), 0))((model, entries), shared, mesh)


def observed(model: AbstractPKModel, amounts: Float[Array, "subject record compartment"]) -> dict[str, Array]:
    """Outputs of the structure at every record, `[subject, record]`, in the units of `outputs`."""

    def wide(leaf: Any) -> Array:
        array = jnp.asarray(leaf)
        return array[:, None] if array.ndim == 1 else array

    seen = jax.tree.map(wide, model).observe(tuple(jnp.moveaxis(amounts, -1, 0)))
    return {name: jnp.broadcast_to(value, amounts.shape[:-1]) for name, value in seen.items()}
