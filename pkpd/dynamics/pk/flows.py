"""Linear structures without a simple closed form, by the exponential of their rate matrix: exact, also where rates coincide."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import expm
from jaxtyping import Array, Float

from pkpd.dynamics.base import DoseTable, Lanes, Transition

type Rates = tuple[tuple[Lanes | None, ...], ...]
"""Slope of each compartment's amount `[to]` per amount `[from]`, 1/h; None where nothing flows."""


def exponential(rates: Rates, length_h: Lanes) -> Transition:
    """Change over an interval: one exponential gives the matrix and the response to constant inputs.

    References
    ----------
    Van Loan CF. IEEE Trans Automat Contr 1978;23:395, doi:10.1109/TAC.1978.1101743.
    """
    size = len(rates)
    shape = jnp.broadcast_shapes(
        jnp.shape(length_h), *(jnp.shape(rate) for row in rates for rate in row if rate is not None)
    )
    wide = jnp.zeros((*shape, 2 * size, 2 * size))
    for to, row in enumerate(rates):
        for start, rate in enumerate(row):
            if rate is not None:
                wide = wide.at[..., to, start].set(rate * length_h)
    where = jnp.arange(size)
    wide = wide.at[..., where, size + where].set(jnp.asarray(length_h)[..., None])
    whole = expm(wide, max_squarings=48)
    there = _reached(rates)

    def part(offset: int) -> tuple[tuple[Array | None, ...], ...]:
        return tuple(
            tuple(whole[..., to, offset + start] if there[to][start] else None for start in range(size))
            for to in range(size)
        )

    return Transition(part(0), part(size))


def superposed(
    transition: Callable[[Lanes], Transition],
    doses: DoseTable,
    times_h: Float[Array | np.ndarray, "time ..."],
    *,
    absorbed_into: int,
    seen: int,
    lag_h: Lanes | float = 0.0,
) -> Float[Array, "time ..."]:
    """Amount in the compartment `seen`, where direct doses enter as well, by the sum of the doses' own courses."""
    count = doses.time_h.shape[0]
    lanes = doses.amount_mg.ndim - 1
    total = jnp.zeros(())
    for dose in range(count):
        absorbed = doses.absorbed[dose] > 0.0
        begins = doses.time_h[dose] + jnp.where(absorbed, lag_h, 0.0)
        times = jnp.reshape(times_h, times_h.shape + (1,) * max(lanes + 1 - times_h.ndim, 0))
        since = times - begins
        length = doses.duration_h[dose]
        running = jnp.where(length > 0.0, length, 1.0)
        at = transition(jnp.maximum(since, 0.0))
        past = transition(jnp.maximum(since - length, 0.0))
        ways = [
            (
                cast(Array, at.matrix[seen][source]),
                (cast(Array, at.response[seen][source]) - cast(Array, past.response[seen][source])) / running,
            )
            for source in (absorbed_into, seen)
        ]
        bolus = jnp.where(absorbed, ways[0][0], ways[1][0])
        infused = jnp.where(absorbed, ways[0][1], ways[1][1])
        total = total + jnp.where(since > 0.0, jnp.where(length > 0.0, infused, bolus), 0.0) * doses.amount_mg[dose]
    return total


def _reached(rates: Rates) -> list[list[bool]]:
    size = len(rates)
    there = [[to == start or rates[to][start] is not None for start in range(size)] for to in range(size)]
    for via in range(size):
        for to in range(size):
            for start in range(size):
                there[to][start] |= there[to][via] and there[via][start]
    return there
